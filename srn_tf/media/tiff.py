"""TIFF, by tifffile: 8 or 16 bits, gray or RGB, with or without alpha; the rest is refused.

Fewer bits and palettes are expanded as TIFF 6.0 defines them, WhiteIsZero is inverted. Colours that
are stored multiplied by their alpha stay so, and the output's tag says so too.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import BinaryIO

import numpy as np
import PIL.Image
import PIL.TiffImagePlugin
import tifffile

from srn_tf.common.errors import InputError
from srn_tf.media.metadata import (
    EXIF_IFD,
    GPS_IFD,
    Metadata,
    parse_exif,
    sized,
    valid_orientation,
)
from srn_tf.media.stored import Stored

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _YCBCR = 0, 1, 2, 3, 6
_ORIENTATION, _RESOLUTION_UNIT, _PROFILE = 274, 296, 34675
_RESOLUTION = (282, 283)
# Those that keep or make RGB out of YCbCr while they inflate: JPEG, WebP, JPEG 2000.
_FAX = (2, 3, 4)  # which imagecodecs lacks
_COLOUR_CODECS = (7, 34712, 34892, 50001, 33003, 33004, 33005)
_REDUCED_IMAGE = 1  # bit of NewSubfileType: a preview of another page
_ASCII, _LONG, _RATIONAL = 2, 4, 5


def read(file: BinaryIO) -> Stored:
    """The first directory of a TIFF file (see `Stored`)."""
    tiff = tifffile.TiffFile(file)
    page = tiff.pages.first
    _refuse_what_is_not_kept(page)
    alpha = page.extrasamples[0] if _extra_samples(page) and page.extrasamples else 0
    tag = page.tags.get(_ORIENTATION)
    if tiff.is_bigtiff:  # which Pillow's EXIF does not read
        exif, notes = {}, ("the tags of a BigTIFF are not copied",)
    else:
        file.seek(0)
        _, exif, notes = parse_exif(file)
    profile = page.tags.get(_PROFILE)
    icc = profile.value if profile is not None and isinstance(profile.value, bytes) else b""
    metadata = Metadata(exif, icc, alpha=int(alpha), notes=notes)
    orientation = valid_orientation(None if tag is None else tag.value)
    size = page.imagelength, page.imagewidth
    if page.compression in _FAX:  # whose decoder turns it
        size, orientation = size[::-1] if orientation >= 5 else size, 1
    return Stored(size, lambda: _decode(tiff, page), orientation, metadata)


def encode(image: np.ndarray, metadata: Metadata) -> bytes:
    """A deflated TIFF of uint8 or uint16 `[H, W]` or `[H, W, 2 to 4]`."""
    has_alpha = image.ndim == 3 and image.shape[2] in (2, 4)
    colour = image.ndim == 3 and image.shape[2] >= 3
    pointers = [tag for tag in (EXIF_IFD, GPS_IFD) if tag in metadata.exif]
    described = [
        (tag, _ASCII, 0, value.encode("latin-1", "replace") + b"\0", True)
        for tag, value in metadata.exif.items()
        if isinstance(value, str)
    ]
    resolution = [_ratio(metadata.exif.get(tag)) for tag in _RESOLUTION]
    unit = metadata.exif.get(_RESOLUTION_UNIT)
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        image,
        photometric="rgb" if colour else "minisblack",
        planarconfig="contig" if image.ndim == 3 else None,
        extrasamples=[metadata.alpha] if has_alpha else None,
        compression="zlib",
        predictor=True,
        metadata=None,
        software=False,
        iccprofile=metadata.icc or None,
        resolution=tuple(resolution) if all(resolution) else None,
        resolutionunit=unit if unit in (1, 2, 3) else None,
        extratags=[*described, *((tag - 1, _LONG, 1, 0, True) for tag in pointers)],
    )
    for tag in pointers:
        _append_directory(buffer, tag, sized(metadata.exif[tag], image.shape[:2]))
    return buffer.getvalue()


def _append_directory(buffer: io.BytesIO, tag: int, values: Mapping[int, object]) -> None:
    """Writes a directory at the end of the file, to which `tag` of the first one points.

    tifffile writes no such tags: a tag of the number before becomes one.
    """
    buffer.seek(0)
    with tifffile.TiffFile(buffer, mode="r+b") as tiff:
        order = b"II" if tiff.byteorder == "<" else b"MM"
        directory = PIL.TiffImagePlugin.ImageFileDirectory_v2(order + b"\x2a\0\0\0\0\0", group=tag)
        for name, value in values.items():
            directory[name] = value
        position = buffer.seek(0, io.SEEK_END)
        position += buffer.write(bytes(position % 2))  # directories begin at even places
        buffer.write(directory.tobytes(position))
        pointer = tiff.pages.first.tags[tag - 1]
        pointer.overwrite(position)
        buffer.seek(pointer.offset)
        buffer.write(tag.to_bytes(2, "little" if order == b"II" else "big"))


def _refuse_what_is_not_kept(page: tifffile.TiffPage) -> None:
    kind = page.photometric
    if page.subfiletype & _REDUCED_IMAGE:
        raise InputError("begins with a preview of what it holds (a raw photograph?): convert it")
    if kind not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _YCBCR):
        name = "CMYK" if kind == 5 else getattr(kind, "name", kind)
        raise InputError(f"is a {name} image: convert it to RGB")
    if kind == _YCBCR and page.compression not in _COLOUR_CODECS:
        name = getattr(page.compression, "name", page.compression)
        raise InputError(f"is a YCbCr image with compression {name}: convert it to RGB")
    if page.sampleformat != 1:
        raise InputError(f"holds {page.dtype or 'other'} samples; 8 or 16 bits are supported")
    if page.bitspersample not in ((1, 2, 4, 8) if kind == _PALETTE else (1, 2, 4, 8, 16)):
        raise InputError(f"holds {page.bitspersample}-bit samples; 8 or 16 bits are supported")
    if page.imagedepth != 1:
        raise InputError("holds a volume: split it into one file for each image")
    extra = _extra_samples(page)
    if extra not in ((0,) if kind == _PALETTE else (0, 1)):
        raise InputError(f"has {page.samplesperpixel} channels: convert it to gray, RGB or RGBA")


def _extra_samples(page: tifffile.TiffPage) -> int:
    return page.samplesperpixel - (3 if page.photometric in (_RGB, _YCBCR) else 1)


def _decode(tiff: tifffile.TiffFile, page: tifffile.TiffPage) -> np.ndarray:
    pages = sum(not other.subfiletype & _REDUCED_IMAGE for other in tiff.pages)
    if pages > 1:
        raise InputError(f"holds {pages} images: split it into one file each")
    end, parts = tiff.filehandle.size, list(zip(page.dataoffsets, page.databytecounts))
    # For parts that are missing tifffile gives black.
    if len(parts) < math.prod(page.chunked) or any(not n or at + n > end for at, n in parts):
        raise InputError("is unreadable or truncated: a part of its pixels is missing")
    if page.compression in _FAX:
        tiff.filehandle.seek(0)
        return np.asarray(PIL.Image.open(tiff.filehandle, formats=["TIFF"]).convert("L"))
    # [planes, 1, H, W, samples]: either of the first and the last is 1.
    planes = page.asarray(squeeze=False)[:, 0]
    image = np.moveaxis(planes[..., 0], 0, -1) if len(planes) > 1 else planes[0]
    if page.photometric == _PALETTE:
        return _painted(image[..., 0], page.colormap)
    if page.bitspersample < 8:
        image = image.astype(np.uint8) * np.uint8(255 // (2**page.bitspersample - 1))
    if page.photometric == _WHITE_IS_ZERO:
        image = image.copy()
        image[..., 0] = np.iinfo(image.dtype).max - image[..., 0]
    image = image.astype(image.dtype.newbyteorder("="), copy=False)
    return image[..., 0] if image.shape[-1] == 1 else image


def _painted(indices: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """The colours of a palette of 16-bit entries, of which 8 are used as a rule."""
    fine, coarse = palette & 255, palette >> 8
    if not fine.any() or (fine == coarse).all():
        palette = coarse.astype(np.uint8)
    return palette.T[indices]


def _ratio(value: object) -> tuple[int, int] | None:
    try:
        ratio = value.numerator, value.denominator
    except AttributeError:
        return None
    return ratio if all(0 < part < 1 << 32 for part in ratio) else None
