"""JPEG, WebP, BMP and AVIF, decoded and encoded by Pillow, and HEIC by its plug-in `pillow-heif`.

WebP and BMP are written without loss, WebP also under an alpha of 0; the others with quality 95 and
colours at full resolution. HEIC of more than 8 bits is 16-bit in memory and written with 10.
"""

from __future__ import annotations

import io
import re
from fractions import Fraction
from typing import BinaryIO

import numpy as np
import PIL.Image

from srn_tf.common.errors import InputError
from srn_tf.media.metadata import (
    Metadata,
    colour_chunk,
    dots_per_inch,
    exif_block,
    parse_exif,
    with_resolution,
)
from srn_tf.media.stored import Stored

_LARGEST_JPEG_EXIF = 65533
_LARGEST_PROFILE = 1 << 26
_HEAD = 1 << 16  # in which the headers of an AVIF and a BMP lie
_NCLX = ("color_primaries", "transfer_characteristics")  # codes of H.273
_HEIF_IS_AN_EXTRA = "HEIC needs one more package: pip install 'srn-tf[heif]'"


def read(file: BinaryIO, kind: str) -> Stored:
    """The header of a file of one of these formats (see `Stored`); `kind` is `kind_of`'s."""
    if kind == "HEIF":
        return _read_heif(file)
    head = file.read(_HEAD)
    file.seek(0)
    if kind == "AVIF" and _is_deep(head):
        raise InputError("is an AVIF of more than 8 bits: convert it to a 16-bit PNG or TIFF")
    if kind == "BMP" and _has_lost_alpha(head):
        raise InputError("is a 16-bit BMP with an alpha channel: convert it to PNG")
    try:
        image = PIL.Image.open(file, formats=[kind])
    except PIL.UnidentifiedImageError:
        raise InputError(f"is a damaged {kind}, or one of a kind that is not read here") from None
    count = getattr(image, "n_frames", 1)
    if kind != "JPEG" and count > 1:
        raise InputError(f"holds {count} images: split it into one file each")
    if image.mode == "CMYK":
        raise InputError("is a CMYK image: convert it to RGB")
    if image.mode not in ("1", "L", "P", "RGB", "RGBA"):
        raise InputError(f"is of the kind {image.mode}: convert it to RGB")
    orientation, exif, notes = parse_exif(image.info.get("exif", b""))
    if count > 1:
        notes += ("the further images of this JPEG are left out: previews, or a gain map for HDR",)
    icc = image.info.get("icc_profile") or b""
    colour = {}
    if kind == "JPEG":  # JFIF's units are inch and centimetre, EXIF's none and these
        density, unit = (image.info.get(f"jfif_{name}", 0) for name in ("density", "unit"))
        exif = with_resolution(exif, density, unit + 1) if density else exif
    if kind == "BMP":
        per_metre = (round(each / 0.0254) for each in image.info.get("dpi", (0, 0)))
        exif = with_resolution(exif, tuple(Fraction(each, 100) for each in per_metre), 3)
        icc = _profile_of_bmp(file, head)
    if kind == "AVIF":
        nclx = re.search(rb"colrnclx(..)(..)", head, re.DOTALL)
        colour = colour_chunk(nclx[1][1], nclx[2][1]) if nclx else {}
    metadata = Metadata(exif, icc, colour, notes=notes)

    def decode() -> np.ndarray:
        target = {"1": "L", "P": "RGB"}.get(image.mode)
        return np.asarray(image.convert(target) if target else image)

    return Stored((image.height, image.width), decode, orientation, metadata)


def encode(image: np.ndarray, metadata: Metadata, kind: str) -> bytes:
    """A file of uint8 `[H, W]` or `[H, W, 2 to 4]`; HEIC also of uint16 and three channels or four.

    Raises:
      InputError: HEIC without its plug-in.
    """
    if kind == "HEIF":
        return _encode_heif(image, metadata)
    options = {
        "JPEG": {"quality": 95, "subsampling": "4:4:4"},
        "WEBP": {"lossless": True, "exact": True},
        "AVIF": {"quality": 95, "subsampling": "4:0:0" if image.ndim == 2 else "4:4:4"},
        "BMP": {},
    }[kind]
    if kind in ("JPEG", "BMP"):
        options["dpi"] = dots_per_inch(metadata.exif) or (0, 0)
    if kind != "BMP":
        options["icc_profile"] = metadata.icc
        options["exif"] = exif_block(metadata.exif, image.shape[:2])
    buffer = io.BytesIO()
    PIL.Image.fromarray(image).save(buffer, kind, **options)
    return buffer.getvalue()


def fits_jpeg(metadata: Metadata) -> bool:
    """Whether the EXIF is small enough for a JPEG."""
    return len(exif_block(metadata.exif, (1, 1))) <= _LARGEST_JPEG_EXIF


def _is_deep(head: bytes) -> bool:
    # Of the flags in the box av1C, the two highest after the first speak of more than 8 bits.
    return any(flags[1][0] & 0x40 for flags in re.finditer(rb"av1C..(.)", head, re.DOTALL))


def _has_lost_alpha(head: bytes) -> bool:
    """Whether it is a BMP of 16 bits, of whose mask for alpha Pillow knows nothing."""
    size, compression = (int.from_bytes(head[i : i + 4], "little") for i in (14, 30))
    has_mask = (size >= 56 and compression == 3) or compression == 6
    return head[28:30] == b"\x10\0" and has_mask and any(head[66:70])


def _profile_of_bmp(file: BinaryIO, head: bytes) -> bytes:
    """The profile inside a BMP of version 5."""
    size, place, length = (int.from_bytes(head[i : i + 4], "little") for i in (14, 126, 130))
    if size < 124 or head[70:74] != b"DEBM":  # "MBED": embedded, not linked
        return b""
    before = file.tell()
    file.seek(14 + place)
    profile = file.read(min(length, _LARGEST_PROFILE))
    file.seek(before)
    return profile if len(profile) == length else b""


def _read_heif(file: BinaryIO) -> Stored:
    try:
        import pillow_heif
    except ImportError:
        raise InputError(_HEIF_IS_AN_EXTRA) from None
    images = pillow_heif.open_heif(file, convert_hdr_to_8bit=False)
    if len(images) > 1:
        raise InputError(f"holds {len(images)} images: split it into one file each")
    image = images[0]
    if image.mode not in ("L", "RGB", "RGBA", "L;16", "I;16", "RGB;16", "RGBA;16"):
        raise InputError(f"is of the kind {image.mode}: convert it to RGB")
    # libheif has turned the image already; by the standard its EXIF has no say in that.
    _, exif, notes = parse_exif(image.info.get("exif") or b"")
    nclx = image.info.get("nclx_profile") or {}
    codes = (int(nclx.get(name, 2)) for name in _NCLX)
    metadata = Metadata(
        exif, image.info.get("icc_profile") or b"", colour_chunk(*codes), notes=notes
    )
    # A copy: older versions of the plug-in lend memory that ends with the image.
    return Stored(image.size[::-1], lambda: np.array(image), 1, metadata)


def _encode_heif(image: np.ndarray, metadata: Metadata) -> bytes:
    try:
        import pillow_heif
    except ImportError:
        raise InputError(_HEIF_IS_AN_EXTRA) from None
    height, width = image.shape[:2]
    mode = {2: "L", 3: "RGB", 4: "RGBA"}[image.ndim if image.ndim == 2 else image.shape[2]]
    mode += ";16" if image.dtype == np.uint16 else ""
    chunk = b"" if metadata.icc else metadata.png_colour.get(b"cICP", b"")
    buffer = io.BytesIO()
    pixels = image.tobytes()  # the plug-in does not hold them by itself
    pillow_heif.from_bytes(mode, (width, height), pixels).save(
        buffer,
        quality=95,
        chroma="444",
        exif=exif_block(metadata.exif, (height, width)) or None,
        icc_profile=metadata.icc or None,
        **dict(zip(_NCLX, chunk)),
    )
    return buffer.getvalue()
