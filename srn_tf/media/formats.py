"""PNG, JPEG, WebP, BMP, AVIF and HEIC: what a file tells before it is decoded, and encoding.

Pixels are decoded by the strictest reader that there is: imagecodecs (libpng) for PNG, simplejpeg
(libjpeg-turbo, whose warnings are errors) for JPEG, Pillow and pillow-heif for the others; FFmpeg
decodes JPEG, AVIF and HEIC once more, as it notices other damage. What no decoder can notice, such
as bytes of a WebP that were replaced by others, stays unnoticed.
"""

from __future__ import annotations

import contextlib
import io
import re
import struct
import zlib
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

import av
import imagecodecs
import numpy as np
import PIL.Image

from srn_tf.common.errors import InputError
from srn_tf.media.metadata import Metadata, exif_for, orientation_of, sound_exif
from srn_tf.media.parts import parts

_SIGNATURES = {
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "JPEG": rb"\xff\xd8\xff",
    "WEBP": rb"RIFF....WEBP",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "BMP": rb"BM",
    "AVIF": rb"....ftyp(....){0,9}?avi[fs]",
    "HEIF": rb"....ftyp(....){0,9}?(hei[cmsx]|hev[cx]|mif1|msf1)",
}
_READ_OF_PNG = (b"IHDR", b"IEND", b"pHYs", b"eXIf", b"iCCP", b"acTL", b"CgBI")
_COLOUR_OF_PNG = (b"cICP", b"cHRM", b"gAMA", b"sRGB")
_PNG_HEAD = 8 + 12 + 13  # signature and first chunk
_LARGEST_JPEG_EXIF = 65527
_LARGEST_PROFILE = 1 << 26
_INCH = 0.0254  # metres
# H.273 for sRGB, for television, which viewers show like it, and for what is not told.
_PLAIN_PRIMARIES, _PLAIN_TRANSFER = (0, 1, 2), (0, 1, 2, 6, 13)
# Some cameras leave a few bytes before the end marker. Other warnings are about tables, not pixels.
_DAMAGE = re.compile(r"Premature end|Corrupt JPEG data(?!: [1-4] extraneous)|Unsupported marker")
_NCLX = ("color_primaries", "transfer_characteristics")
_ZEROS = bytes(256)  # so many end no compressed image
_STRICT = {"err_detect": "explode", "strict": "1"}  # FFmpeg: errors in place of guessed pixels


class Stored(NamedTuple):
    """An image as it lies in its file, which has to stay open.

    Attributes:
      size: height and width in pixels, before turning.
      orientation: EXIF's, 1 to 8.
      metadata: what is to be copied.
      decode: from the bytes of the file: uint8 or uint16 `[H, W]` or `[H, W, 2 to 4]`: gray, gray
        and alpha, RGB, RGBA.
    """

    size: tuple[int, int]
    orientation: int
    metadata: Metadata
    decode: Callable[[bytes], np.ndarray]


def kind_of(file: BinaryIO) -> str:
    """ "PNG", "JPEG", "WEBP", "TIFF", "BMP", "AVIF" or "HEIF", by the first bytes of the file.

    Raises:
      InputError: none of these.
    """
    file.seek(0)
    head = file.read(64)
    file.seek(0)
    for kind, signature in _SIGNATURES.items():
        if re.match(signature, head, re.DOTALL):
            return kind
    raise InputError("is not a readable image: none of PNG, JPEG, WebP, TIFF, BMP, AVIF and HEIC")


def read(file: BinaryIO, kind: str) -> Stored:
    """The header of a file of one of these formats.

    Raises:
      InputError: it is of a kind that is not read here.
    """
    if kind == "PNG":
        return _read_png(file)
    if kind == "HEIF":
        return _read_heif(file)
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
    exif = sound_exif(image.info.get("exif"))
    dpi, colour, mode = None, {}, {"1": "L", "P": "RGB"}.get(image.mode, image.mode)
    if kind == "JPEG":  # in dots per inch or centimetre, if any
        scale = {1: 1, 2: 2.54}.get(image.info.get("jfif_unit"), 0)
        dpi = tuple(scale * each for each in image.info.get("jfif_density", (0, 0)))
    if kind == "BMP":
        dpi = image.info.get("dpi")
    if kind == "AVIF":
        channels, colour = _announced(file)
        if channels[0].bits > 8:
            raise InputError("is an AVIF of more than 8 bits: convert it to a 16-bit PNG or TIFF")
        mode = "L" if len(channels) == 1 and mode == "RGB" else mode  # RGB for Pillow below 13
    icc = image.info.get("icc_profile") or b""
    metadata = Metadata(exif, icc, dpi if dpi and min(dpi) > 0 else None, colour)

    def decode(content: bytes) -> np.ndarray:
        if kind == "JPEG":
            return decode_jpeg(content, "GRAY" if image.mode == "L" else "RGB")
        if kind != "BMP":
            _refuse_hidden_damage(content, kind)
        return np.asarray(image.convert(mode))

    return Stored((image.height, image.width), orientation_of(exif), metadata, decode)


def encode(image: np.ndarray, metadata: Metadata, kind: str) -> bytes:
    """A file of uint8 `[H, W]` or `[H, W, 2 to 4]`; PNG and HEIC also of uint16.

    WebP and BMP are without loss, WebP also under an alpha of 0; JPEG, AVIF and HEIC have quality
    95 and colours at full resolution. HEIC of 16 bits is written with 10.

    Raises:
      InputError: HEIC without its plug-in.
    """
    exif = exif_for(metadata, image.shape[:2], resolution=kind in ("WEBP", "AVIF", "HEIF"))
    if kind == "PNG":
        return _encode_png(image, metadata, exif)
    if kind == "HEIF":
        return _encode_heif(image, metadata, exif)
    options = {
        "JPEG": {"quality": 95, "subsampling": "4:4:4"},
        "WEBP": {"lossless": True, "exact": True},
        "AVIF": {"quality": 95, "subsampling": "4:0:0" if image.ndim == 2 else "4:4:4"},
        "BMP": {},
    }[kind]
    if kind in ("JPEG", "BMP") and metadata.dpi and max(metadata.dpi) < 1 << 16:
        options["dpi"] = metadata.dpi
    if kind != "BMP":
        options["icc_profile"] = metadata.icc
    if kind != "BMP" and exif and not (kind == "JPEG" and len(exif) > _LARGEST_JPEG_EXIF):
        options["exif"] = b"Exif\0\0" + exif
    buffer = io.BytesIO()
    PIL.Image.fromarray(image).save(buffer, kind, **options)
    return buffer.getvalue()


def decode_jpeg(content: bytes, colours: str) -> np.ndarray:
    """The pixels of a JPEG: uint8 `[H, W]` for the colours "GRAY", `[H, W, 3]` for "RGB".

    Raises:
      InputError: the data are damaged, in a way that a decoder can notice.
    """
    import simplejpeg  # no other format needs it

    try:
        image = simplejpeg.decode_jpeg(content, colours, strict=True)
    except ValueError as error:
        if _DAMAGE.search(str(error)):
            raise InputError(f"is damaged or cut off: {error}") from None
        image = simplejpeg.decode_jpeg(content, colours, strict=False)
    try:
        context = av.CodecContext.create("mjpeg", "r")
        context.options = _STRICT
        context.decode(av.Packet(content))
    except av.error.InvalidDataError:
        raise InputError("is damaged or cut off: its data are no valid JPEG") from None
    except (av.error.FFmpegError, ValueError):
        pass  # a kind of JPEG that FFmpeg does not know
    return image[..., 0] if colours == "GRAY" else image


def _refuse_hidden_damage(content: bytes, kind: str) -> None:
    """Refuses an interrupted copy of a WebP, AVIF or HEIC, and what FFmpeg alone finds invalid."""
    *_, (last, _, _) = parts(io.BytesIO(content), kind)
    if content.endswith(_ZEROS) and last != b"free":  # in zeros decoders find valid pixels
        raise InputError("is cut off: its end consists of zeros")
    if kind == "WEBP":
        return
    try:
        container = av.open(io.BytesIO(content), format="mov")
    except av.error.FFmpegError:  # a kind that FFmpeg does not know
        return
    with container:
        for stream in container.streams.video:
            stream.codec_context.options = _STRICT
        try:
            for _ in container.decode(*container.streams.video):
                pass
        except av.error.InvalidDataError:
            raise InputError("is damaged or cut off: its data are not valid") from None


def _announced(file: BinaryIO) -> tuple[tuple, dict[bytes, bytes]]:
    """The channels of an AVIF and its colours as a PNG's cICP, if they are not sRGB."""
    file.seek(0)
    with av.open(file, format="mov") as container:
        codec = container.streams.video[0].codec_context
        channels = av.VideoFormat(codec.pix_fmt).components
        return channels, _cicp(int(codec.color_primaries), int(codec.color_trc))


def _cicp(primaries: int, transfer: int) -> dict[bytes, bytes]:
    if primaries in _PLAIN_PRIMARIES and transfer in _PLAIN_TRANSFER:
        return {}
    return {b"cICP": bytes([primaries, transfer, 0, 1])}


def _read_png(file: BinaryIO) -> Stored:
    chunks = {}
    for name, begin, length in parts(file, "PNG"):
        if name in _READ_OF_PNG + _COLOUR_OF_PNG:
            file.seek(begin)
            chunk = file.read(min(length, _LARGEST_PROFILE))
            content, checksum = chunk[:-4], chunk[-4:]
            # Of two libpng takes the first. A damaged one that is not critical is left out.
            if zlib.crc32(name + content) == int.from_bytes(checksum, "big"):
                chunks.setdefault(name, content)
    if b"IEND" not in chunks:
        raise InputError("is cut off: its end is missing")
    header, animation = chunks.get(b"IHDR", b""), chunks.get(b"acTL", b"")
    if b"CgBI" in chunks:
        raise InputError("is a PNG in Apple's own form (CgBI), for apps: convert it to a real one")
    if len(header) != 13:
        raise InputError("is damaged: its first chunk is no header")
    if int.from_bytes(animation[:4], "big") > 1:
        raise InputError(f"holds {animation[3]} images: split it into one file each")
    exif = sound_exif(chunks.get(b"eXIf"))
    x, y = (int.from_bytes(chunks.get(b"pHYs", b"")[i : i + 4], "big") for i in (0, 4))
    dpi = (x * _INCH, y * _INCH) if x and y and chunks[b"pHYs"][8:] == b"\1" else None
    icc = b""
    if b"iCCP" in chunks:
        with contextlib.suppress(zlib.error):  # its pixels are sound
            compressed = chunks[b"iCCP"].partition(b"\0")[2][1:]
            icc = zlib.decompressobj().decompress(compressed, _LARGEST_PROFILE)
    colour = {name: chunks[name] for name in _COLOUR_OF_PNG if name in chunks}
    metadata = Metadata(exif, icc, dpi, colour)
    size = int.from_bytes(header[4:8], "big"), int.from_bytes(header[:4], "big")
    return Stored(size, orientation_of(exif), metadata, imagecodecs.png_decode)


def _encode_png(image: np.ndarray, metadata: Metadata, exif: bytes) -> bytes:
    # As fast and nearly as small as OpenCV's: level 1, strategy "run lengths", filter "sub".
    encoded = imagecodecs.png_encode(np.ascontiguousarray(image), level=1, strategy=3, filter=16)
    chunks = dict(metadata.colour)
    if metadata.dpi:
        sides = (round(each / _INCH).to_bytes(4, "big") for each in metadata.dpi)
        chunks[b"pHYs"] = b"".join(sides) + b"\1"
    if metadata.icc:
        chunks[b"iCCP"] = b"ICC\0\0" + zlib.compress(metadata.icc)
    if exif:
        chunks[b"eXIf"] = exif
    extra = b"".join(
        struct.pack(">I4s", len(content), name)
        + content
        + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks.items()
    )
    return encoded[:_PNG_HEAD] + extra + encoded[_PNG_HEAD:]


def _pillow_heif():
    try:
        import pillow_heif
    except ImportError:
        raise InputError("HEIC needs one more package: pip install 'srn-tf[heif]'") from None
    return pillow_heif


def _read_heif(file: BinaryIO) -> Stored:
    images = _pillow_heif().open_heif(file, convert_hdr_to_8bit=False)
    if len(images) > 1:
        raise InputError(f"holds {len(images)} images: split it into one file each")
    image = images[0]
    if image.mode not in ("L", "RGB", "RGBA", "L;16", "I;16", "RGB;16", "RGBA;16"):
        raise InputError(f"is of the kind {image.mode}: convert it to RGB")
    exif = sound_exif(image.info.get("exif"))
    nclx = image.info.get("nclx_profile") or {}
    colour = _cicp(*(int(nclx.get(name, 2)) for name in _NCLX))
    metadata = Metadata(exif, image.info.get("icc_profile") or b"", colour=colour)

    def decode(content: bytes) -> np.ndarray:
        _refuse_hidden_damage(content, "HEIF")
        return np.array(image)  # older versions of the plug-in lend memory that ends with the image

    # libheif has turned the image already; by the standard its EXIF has no say in that.
    return Stored(image.size[::-1], 1, metadata, decode)


def _encode_heif(image: np.ndarray, metadata: Metadata, exif: bytes) -> bytes:
    height, width = image.shape[:2]
    mode = {2: "L", 3: "RGB", 4: "RGBA"}[image.ndim if image.ndim == 2 else image.shape[2]]
    mode += ";16" if image.dtype == np.uint16 else ""
    codes = metadata.colour.get(b"cICP", b"") if not metadata.icc else b""
    buffer = io.BytesIO()
    pixels = image.tobytes()  # the plug-in does not hold them by itself
    _pillow_heif().from_bytes(mode, (width, height), pixels).save(
        buffer,
        quality=95,
        chroma="444",
        exif=exif or None,
        icc_profile=metadata.icc or None,
        **dict(zip(_NCLX, codes)),
    )
    return buffer.getvalue()
