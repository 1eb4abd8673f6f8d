"""Reading and writing image files, strictly: an image is decoded whole or refused by name.

Arrays are RGB, `[H, W]` (gray), `[H, W, 3]` or `[H, W, 4]` (with alpha), uint8 or uint16, upright:
the EXIF orientation is applied when reading.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

import cv2
import numpy as np
import PIL.Image

from srn_tf.common.errors import InputError
from srn_tf.common.files import check_regular, written_beside

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
_LONGEST_SIDE = {".webp": 16383, ".jpg": 65535, ".jpeg": 65535}

# EXIF orientation -> how to turn the stored array upright (EXIF 2.3, tag 0x0112).
_EXIF_ORIENTATION = 0x0112
_TIFF_SIZE = (0x0100, 0x0101)  # the tags ImageWidth and ImageLength
_UPRIGHT = {
    2: np.fliplr,
    3: lambda image: np.rot90(image, 2),
    4: np.flipud,
    5: lambda image: np.rot90(np.fliplr(image)),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: np.rot90(np.fliplr(image), -1),
    8: np.rot90,
}


def is_image(path: str | os.PathLike) -> bool:
    """Whether the suffix of `path` is one of the formats read here."""
    return Path(path).suffix.lower() in SUFFIXES


def image_size(path: str | os.PathLike) -> tuple[int, int]:
    """Height and width of the upright image in pixels, from the file's header alone.

    Raises:
      InputError: the file is missing or no image.
    """
    with _opened(path) as image:
        width, height = image.size
        if image.format == "TIFF":  # some versions of Pillow give the size after turning
            width, height = (image.tag_v2[tag] for tag in _TIFF_SIZE)
        turned = _orientation(image) >= 5
    return (width, height) if turned else (height, width)


def read_image(path: str | os.PathLike) -> np.ndarray:
    """Decodes an image file: uint8 or uint16 `[H, W]`, `[H, W, 3]` or `[H, W, 4]`, upright RGB(A).

    Raises:
      InputError: the file is missing, truncated, no image, of a depth other than 8 or 16 bits, or
        holds several images, CMYK or a transparency that would be lost.
    """
    with _opened(path) as header:
        _refuse_what_would_be_lost(header, path)
        # OpenCV itself turns a TIFF, whatever its flags say.
        orientation = 1 if header.format == "TIFF" else _orientation(header)
        if header.format in ("JPEG", "MPO"):
            # OpenCV fills the missing part of a truncated JPEG with gray; Pillow refuses it.
            image = _decoded_by_pillow(header, path)
        else:
            image = _decoded_by_opencv(path)
        if _is_transparent(header) and (image.ndim == 2 or image.shape[2] == 3):
            raise InputError(f"{path} has transparency that would be lost: convert it to RGBA")
    upright = _UPRIGHT.get(orientation, np.asarray)
    return np.ascontiguousarray(upright(image))


def read_rgb(path: str | os.PathLike) -> np.ndarray:
    """Decodes an 8-bit image for training or scoring: uint8 `[H, W, 3]`; gray is repeated.

    Raises:
      InputError: as `read_image`, and for 16 bits or an alpha channel, which a training pair or a
        score would silently lose.
    """
    image = read_image(path)
    if image.dtype != np.uint8:
        raise InputError(f"{path} has 16 bits per channel: convert it to 8 bits first")
    if image.ndim == 2:
        return np.repeat(image[..., None], 3, axis=2)
    if image.shape[2] == 4:
        raise InputError(f"{path} has an alpha channel: flatten it to RGB first")
    return image


def write_image(path: str | os.PathLike, image: np.ndarray) -> None:
    """Writes an array as `read_image` returns it; the suffix picks the format.

    JPEG is written with quality 95, everything else without loss. The file appears whole or not at
    all. Raises InputError when the format cannot hold the array.
    """
    suffix = Path(path).suffix.lower()
    if image.dtype == np.uint16 and suffix not in (".png", ".tif", ".tiff"):
        raise InputError(f"{path}: 16 bits need PNG or TIFF")
    longest = _LONGEST_SIDE.get(suffix, max(image.shape))
    if max(image.shape) > longest:
        raise InputError(
            f"{path}: {suffix} holds at most {longest} pixels a side: take PNG or TIFF"
        )
    if image.ndim == 3:
        alpha = image.shape[2] == 4
        if alpha and suffix in (".jpg", ".jpeg", ".bmp"):
            raise InputError(f"{path}: an alpha channel needs PNG, TIFF or WebP")
        image = cv2.cvtColor(image, cv2.COLOR_RGBA2BGRA if alpha else cv2.COLOR_RGB2BGR)
    with written_beside(path) as temporary:
        try:
            written = cv2.imwrite(str(temporary), image)
        except cv2.error as error:
            raise InputError(f"{path}: {error.err}") from error
        if not written:
            raise OSError(f"{path}: could not be written (disk full, or no permission?)")


def _opened(path: str | os.PathLike) -> PIL.Image.Image:
    check_regular(path)
    try:
        return PIL.Image.open(path)
    except (OSError, PIL.Image.DecompressionBombError) as error:
        raise InputError(f"{path} is not a readable image: {error}") from None


def _orientation(header: PIL.Image.Image) -> int:
    # Asked for the EXIF of a PNG without any, Pillow decodes all pixels to look behind them.
    if header.format == "PNG" and "exif" not in header.info:
        return 1
    try:
        return header.getexif().get(_EXIF_ORIENTATION, 1)
    except (SyntaxError, ValueError, KeyError, OSError, struct.error):  # the EXIF is malformed
        return 1


def _is_transparent(header: PIL.Image.Image) -> bool:
    return header.mode in ("RGBA", "LA", "PA") or "transparency" in header.info


def _refuse_what_would_be_lost(header: PIL.Image.Image, path: str | os.PathLike) -> None:
    # The further images of a JPEG are previews and the like.
    if header.format not in ("JPEG", "MPO") and getattr(header, "n_frames", 1) > 1:
        raise InputError(f"{path} holds {header.n_frames} images: split it into one file each")
    if header.mode == "CMYK":
        raise InputError(f"{path} is a CMYK image: convert it to RGB")


def _decoded_by_pillow(header: PIL.Image.Image, path: str | os.PathLike) -> np.ndarray:
    try:
        return np.asarray(header if header.mode == "L" else header.convert("RGB"))
    except OSError as error:
        raise InputError(f"{path} is unreadable or truncated: {error}") from None


def _decoded_by_opencv(path: str | os.PathLike) -> np.ndarray:
    encoded = np.fromfile(path, np.uint8)
    try:
        image = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    except cv2.error:
        image = None
    if image is None:
        raise InputError(f"{path} is unreadable or truncated")
    if image.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{path} holds {image.dtype} samples; 8 or 16 bits are supported")
    if image.ndim == 3:
        image = cv2.cvtColor(
            image, cv2.COLOR_BGRA2RGBA if image.shape[2] == 4 else cv2.COLOR_BGR2RGB
        )
    return image
