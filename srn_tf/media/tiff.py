"""TIFF of 8 or 16 bits, gray or RGB, with or without alpha, by tifffile; fewer bits by Pillow.

Colours that are stored multiplied by their alpha stay so, and the output's tag says so too.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from typing import BinaryIO

import imagecodecs
import numpy as np
import PIL.Image
import tifffile
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from srn_tf.common.errors import InputError
from srn_tf.media.formats import Stored, decode_jpeg
from srn_tf.media.metadata import (
    EXIF_IFD,
    GPS_IFD,
    INTEROP_IFD,
    MAKER_NOTE,
    Metadata,
    exif_for,
    exif_of,
    known_orientation,
)

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _YCBCR = 0, 1, 2, 3, 6
_ORIENTATION, _PROFILE = 274, 34675
_JPEG, _FAX = 7, (2, 3, 4)  # compressions
# Those that keep or make RGB out of YCbCr while they decode: JPEG, WebP, JPEG 2000.
_COLOUR_CODECS = (_JPEG, 34712, 34892, 50001, 33003, 33004, 33005)
_REDUCED_IMAGE = 1  # bit of NewSubfileType: a preview of another page
# DocumentName, ImageDescription, Make, Model, resolution, Software, DateTime, Artist, HostComputer,
# Rating, Copyright, XPTitle to XPSubject
_KEPT = (269, 270, 271, 272, 282, 283, 296, 305, 306, 315, 316, 0x4746, 0x8298)
_KEPT += (0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F, EXIF_IFD, GPS_IFD)
_STRIP_BYTES = 1 << 18


def read(file: BinaryIO) -> Stored:
    """The header of the first image of a TIFF file.

    Raises:
      InputError: it is of a kind that is not read here.
    """
    tiff = tifffile.TiffFile(file)
    try:
        page = tiff.pages.first
    except IndexError:
        raise InputError("is cut off: the place where it describes itself is missing") from None
    kind, bits = page.photometric, page.bitspersample
    extra = page.samplesperpixel - (3 if kind in (_RGB, _YCBCR) else 1)
    if page.subfiletype & _REDUCED_IMAGE:
        raise InputError("begins with a preview of what it holds (a raw photograph?): convert it")
    if kind not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _YCBCR):
        name = "CMYK" if kind == 5 else getattr(kind, "name", kind)
        raise InputError(f"is a {name} image: convert it to RGB")
    if kind == _YCBCR and page.compression not in _COLOUR_CODECS:
        name = getattr(page.compression, "name", page.compression)
        raise InputError(f"is a YCbCr image with compression {name}: convert it to RGB")
    if page.sampleformat != 1 or bits not in (1, 2, 4, 8, 16) or (kind == _PALETTE and bits > 8):
        kinds = f"{bits}-bit samples ({page.dtype})"
        raise InputError(f"holds {kinds}: integers of 8 or 16 bits are supported")
    if page.imagedepth != 1 or extra > 1 or (extra and kind == _PALETTE):
        raise InputError(f"has {page.samplesperpixel} channels: convert it to gray, RGB or RGBA")
    tag, profile = page.tags.get(_ORIENTATION), page.tags.get(_PROFILE)
    orientation = known_orientation(tag and tag.value)
    icc = profile.value if profile and isinstance(profile.value, bytes) else b""
    file.seek(0)
    tags = {} if tiff.is_bigtiff else _kept(file)  # Pillow does not read those of a BigTIFF
    alpha = int(page.extrasamples[0]) if extra and page.extrasamples else 0
    metadata = Metadata(exif_of(tags), icc, _dots_per_inch(tags), alpha=alpha)
    size = page.imagelength, page.imagewidth
    if _is_for_pillow(page):  # which turns it
        size, orientation = size[::-1] if orientation >= 5 else size, 1
    return Stored(size, orientation, metadata, lambda _: _decode(tiff, page))


def encode(image: np.ndarray, metadata: Metadata) -> bytes:
    """A TIFF of uint8 or uint16 `[H, W]` or `[H, W, 2 to 4]`, compressed by zlib."""
    height, width, samples = *image.shape[:2], image.shape[2] if image.ndim == 3 else 1
    rows = max(1, _STRIP_BYTES // (width * samples * image.itemsize))
    differences = image.astype(image.dtype.newbyteorder("<")).reshape(height, width, samples)
    differences[:, 1:] -= differences[:, :-1].copy()  # what the tag Predictor, 2, says
    strips = [
        imagecodecs.zlib_encode(differences[y : y + rows].tobytes()) for y in range(0, height, rows)
    ]
    directory = ImageFileDirectory_v2()
    for tag, value in _kept(exif_for(metadata, (height, width), resolution=True)).items():
        directory[tag] = value
    directory[256], directory[257], directory[258] = width, height, (8 * image.itemsize,) * samples
    directory[259], directory[262], directory[277] = 8, 2 if samples >= 3 else 1, samples
    directory[278], directory[284], directory[317] = rows, 1, 2
    directory[279] = lengths = tuple(map(len, strips))
    # Pillow counts the offsets of the strips from the end of the directory.
    directory[273] = tuple(np.cumsum([0, *lengths[:-1]]).tolist())
    if samples in (2, 4):
        directory[338] = metadata.alpha
    if metadata.icc:
        directory[_PROFILE] = metadata.icc
    return b"".join([b"II*\0\x08\0\0\0", directory.tobytes(8), *strips])


class _Text(str):
    """What Pillow has read as Latin-1, whose bytes it would write as ASCII."""

    def encode(self, *_: str) -> bytes:
        return super().encode("latin-1")


def _kept(source: bytes | BinaryIO) -> dict[int, object]:
    """Those tags of an EXIF block or a TIFF file that are kept, with directories as dictionaries.

    A maker's note is left out: what it says of places in the old file would be wrong in another.
    Of EXIF that cannot be written again, because it is malformed, nothing is kept.
    """

    def texts(tags: Mapping[int, object]) -> dict[int, object]:
        return {tag: _Text(v) if isinstance(v, str) else v for tag, v in tags.items()}

    exif = PIL.Image.Exif()
    with contextlib.suppress(Exception):  # Pillow meets malformed EXIF with any exception
        exif.load(source) if isinstance(source, bytes) else exif.load_from_fp(source)
        tags = texts({tag: exif[tag] for tag in _KEPT if tag in exif})
        for pointer in {EXIF_IFD, GPS_IFD} & tags.keys():
            tags[pointer] = inside = texts(exif.get_ifd(pointer))
            inside.pop(MAKER_NOTE, None)
            if INTEROP_IFD in inside:
                inside[INTEROP_IFD] = texts(exif.get_ifd(INTEROP_IFD))
        exif_of(tags)
        return tags
    return {}


def _dots_per_inch(tags: Mapping[int, object]) -> tuple[float, float] | None:
    scale = {2: 1, 3: 2.54}.get(tags.get(296, 2))
    try:
        x, y = scale * float(tags[282]), scale * float(tags[283])
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None
    return (x, y) if min(x, y) > 0 else None


def _is_for_pillow(page: tifffile.TiffPage) -> bool:
    return page.bitspersample < 8 or page.photometric == _PALETTE or page.compression in _FAX


def _decode(tiff: tifffile.TiffFile, page: tifffile.TiffPage) -> np.ndarray:
    # Of a stack some programs describe the first plane alone; a series has all of them.
    planes = int(tiff.series[0].size // page.size)
    pages = max(planes, sum(not other.subfiletype & _REDUCED_IMAGE for other in tiff.pages))
    if pages > 1:
        raise InputError(f"holds {pages} images: split it into one file each")
    file, parts = tiff.filehandle, list(zip(page.dataoffsets, page.databytecounts))
    # For parts that are missing tifffile gives black.
    if len(parts) < math.prod(page.chunked) or any(not n or at + n > file.size for at, n in parts):
        raise InputError("is cut off: a part of its pixels is missing")
    if _is_for_pillow(page):
        file.seek(0)
        mode = "RGB" if page.photometric == _PALETTE else "L"
        return np.asarray(PIL.Image.open(file, formats=["TIFF"]).convert(mode))
    if page.compression == _JPEG:
        tables = page.jpegtables[:-2] if page.jpegtables else b"\xff\xd8"
        for at, length in parts:
            file.seek(at)
            try:
                decode_jpeg(tables + file.read(length)[2:], "GRAY")
            except InputError:
                raise
            except ValueError:
                break  # of four channels, or without loss: these are decoded below alone
    # [planes, 1, H, W, samples]: either of the first and the last is 1.
    planes = page.asarray(squeeze=False)[:, 0]
    image = np.moveaxis(planes[..., 0], 0, -1) if len(planes) > 1 else planes[0]
    image = image.astype(image.dtype.newbyteorder("="))
    if page.photometric == _WHITE_IS_ZERO:
        image[..., 0] = np.iinfo(image.dtype).max - image[..., 0]
    return image[..., 0] if image.shape[-1] == 1 else image
