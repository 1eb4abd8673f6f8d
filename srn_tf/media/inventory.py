"""What an image file holds, as a set of names.

A name that the input has and the output has not was not kept: that one comparison tells the user
about maker's notes, comments, gain maps, the video behind a motion photo and whatever else there
may be. How pixels are encoded has no name.
"""

from __future__ import annotations

import io
import re

import PIL.ExifTags
import tifffile

from srn_tf.media.metadata import GPS_IFD, INTEROP_IFD, THUMBNAIL, Metadata, entries
from srn_tf.media.parts import parts

_EXIF, _PROFILE, _XMP, _RESOLUTION = "malformed EXIF", "colour profile", "XMP", "resolution"
_NAMES = {
    **dict.fromkeys(("APP1 Exif", "eXIf", "EXIF", "item Exif"), _EXIF),
    **dict.fromkeys(("APP2 ICC_PROFILE", "iCCP", "ICCP", "InterColorProfile"), _PROFILE),
    **dict.fromkeys(("pHYs", "XResolution", "YResolution", "ResolutionUnit"), _RESOLUTION),
    **dict.fromkeys(("iTXt XML:com.adobe.xmp", "XMLPacket", "item mime"), _XMP),
    "APP1 http://ns.adobe.com/xap/1.0/": _XMP,
    "APP1 http://ns.adobe.com/xmp/extension/": _XMP,
    **dict.fromkeys(("cICP", "cHRM", "gAMA"), "colour description"),
    "APP2 MPF": "further images (previews, or a gain map for HDR)",
    "APP13 Photoshop 3.0": "Photoshop's data (IPTC)",
}
# How pixels are encoded.
_CODING = re.compile(
    "APP0 JF..|APP14 Adobe|IHDR|PLTE|tRNS|IDAT|IEND|acTL|fcTL|fdAT|sRGB|VP8.?|ALPH|"
    "ANIM|ANMF|ftyp|meta|mdat|free|skip|item (av01|hvc1|grid)|urn:mpeg:.*(auxid:1|alpha)"
)
_CODING_TAGS = {*range(254, 267), 273, 274, *range(277, 282), 284, 292, 293, 317, *range(320, 326)}
_CODING_TAGS |= {*range(338, 348), *range(512, 533), 0x8769, 0x8825, 0xA005, 0xA002, 0xA003}
_UNTOLD = 1 << 16  # bytes of a TIFF to which no tag of its images points: tags of tags


def contents(content: bytes, kind: str, metadata: Metadata) -> frozenset[str]:
    """The names of what a file holds beside its pixels.

    Args:
      content: the bytes of the file.
      kind: as of `srn_tf.media.formats.kind_of`.
      metadata: what was read of it.
    """
    names = _tags(content if kind == "TIFF" else metadata.exif)
    names |= {_PROFILE} if metadata.icc else set()
    names |= {_RESOLUTION} if metadata.dpi else set()
    names |= {name.decode() for name in metadata.colour}
    names |= _unread_of_tiff(content) if kind == "TIFF" else set()
    for part, begin, length in parts(io.BytesIO(content), kind):
        name, inside = part.decode("latin-1").strip(), content[begin : begin + length]
        if name == "meta":  # of AVIF and HEIC
            items = re.findall(rb"infe[\2\3]...(?:..){2,3}?([a-zA-Z]\w{3})", inside, re.DOTALL)
            names |= {f"item {item.decode()}" for item in items}
            names |= {urn.decode() for urn in re.findall(rb"urn:[\x21-\x7e]+", inside)}
        elif name in ("tEXt", "zTXt", "iTXt"):
            keyword = inside[:80].split(b"\0")[0].decode("latin-1")
            names.add(f"{name} {keyword}")
        elif name:
            names.add(name)
        elif any(inside):
            video = " (a video)" if b"ftyp" in inside else ""
            names.add(f"{length:,} bytes behind the image{video}")
    names = {_NAMES.get(name, name) for name in names if not _CODING.fullmatch(name)}
    return frozenset(names - {_EXIF} if metadata.exif else names)


def _tags(block: bytes) -> set[str]:
    """The names of all tags of an EXIF block or a TIFF that do not tell how pixels are encoded."""
    names = set()
    for directory, tag, _, _ in entries(block):
        if directory == GPS_IFD:
            names.add(PIL.ExifTags.GPSTAGS.get(tag, f"GPS tag {tag}"))
        elif tag == THUMBNAIL:
            names.add("thumbnail")
        elif directory == INTEROP_IFD:
            names.add(f"InteropTag{tag}")
        elif tag not in _CODING_TAGS:
            names.add(PIL.ExifTags.TAGS.get(tag, f"tag {tag}"))
    return names


def _unread_of_tiff(content: bytes) -> set[str]:
    """The previews of a TIFF, and bytes to which none of its tags points."""
    names, end = set(), 0
    with tifffile.TiffFile(io.BytesIO(content)) as tiff:
        pages = list(tiff.pages)
        if len(pages) > 1:
            names.add("previews")
        if tiff.is_bigtiff:
            codes = {tag.code for tag in pages[0].tags} - _CODING_TAGS
            names |= {PIL.ExifTags.TAGS.get(code, f"tag {code}") for code in codes}
        for page in pages:
            ends = [tag.valueoffset + tag.valuebytecount for tag in page.tags]
            ends += map(sum, zip(page.dataoffsets, page.databytecounts))
            end = max(end, *ends)
    if end + _UNTOLD < len(content):
        names.add(f"{len(content) - end:,} bytes behind the image")
    return names
