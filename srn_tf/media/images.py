"""Reading and writing image files, strictly: an image is decoded whole or refused by name.

Arrays are uint8 or uint16, `[H, W]` (gray), `[H, W, 2]` (gray and alpha), `[H, W, 3]` (RGB) or
`[H, W, 4]` (RGBA), upright: the EXIF orientation is applied when reading. The content of a file
decides how it is read, its suffix how it is written.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from srn_tf.common.errors import InputError
from srn_tf.common.files import check_regular, reason, write_bytes
from srn_tf.media import lossy, png, tiff
from srn_tf.media.kinds import kind_of
from srn_tf.media.metadata import Metadata, says_more_than_resolution, upright
from srn_tf.media.stored import Stored

_KINDS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".heic": "HEIF",
    ".heif": "HEIF",
    ".hif": "HEIF",
    ".avif": "AVIF",
}
SUFFIXES = tuple(_KINDS)
MAX_MEGAPIXELS = 400.0
_LONGEST_SIDE = {"WEBP": 16383, "JPEG": 65500, "AVIF": 65536}
_DEEP_KINDS = ("PNG", "TIFF", "HEIF")
_OPAQUE_KINDS = ("JPEG", "BMP")


class Photograph(NamedTuple):
    """The pixels of a file, as the module describes them, and what else it carries."""

    image: np.ndarray
    metadata: Metadata


def is_image(path: str | os.PathLike) -> bool:
    """Whether the suffix of `path` is one of the formats read here."""
    return Path(path).suffix.lower() in SUFFIXES


def image_size(path: str | os.PathLike) -> tuple[int, int]:
    """Height and width of the upright image in pixels, from the file's header alone.

    Raises:
      InputError: the file is missing or no image that `read_image` reads.
    """
    with _opened(path, float("inf")) as stored:
        return stored.size[::-1] if stored.orientation >= 5 else stored.size


def read_photograph(path: str | os.PathLike, max_megapixels: float = MAX_MEGAPIXELS) -> Photograph:
    """Decodes an image file.

    Args:
      path: of the file.
      max_megapixels: more are refused before memory is taken for them; 1 is 1e6 pixels.

    Raises:
      InputError: the file is missing, truncated, no image, too large, of a depth other than 8 or 16
        bits, or holds several images or colours other than gray and RGB.
    """
    with _opened(path, max_megapixels) as stored:
        image = stored.decode()
        if image.shape[:2] != stored.size or image.dtype not in (np.uint8, np.uint16):
            raise InputError(f"is damaged: it announces another image than it holds {image.shape}")
        return Photograph(upright(image, stored.orientation), stored.metadata)


def read_image(path: str | os.PathLike) -> np.ndarray:
    """The pixels alone; raises as `read_photograph`."""
    return read_photograph(path).image


def read_rgb(path: str | os.PathLike) -> np.ndarray:
    """Decodes an 8-bit image for training or scoring: uint8 `[H, W, 3]`; gray is repeated.

    Raises:
      InputError: as `read_photograph`, and for 16 bits or an alpha channel, which a training pair
        or a score would silently lose.
    """
    image = read_image(path)
    if image.dtype != np.uint8:
        raise InputError(f"{path} has 16 bits per channel: convert it to 8 bits first")
    if has_alpha(image):
        raise InputError(f"{path} has an alpha channel: flatten it to RGB first")
    return np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image


def has_alpha(image: np.ndarray) -> bool:
    """Whether the last channel is alpha."""
    return image.ndim == 3 and image.shape[2] in (2, 4)


def write_image(
    path: str | os.PathLike, image: np.ndarray, metadata: Metadata | None = None
) -> tuple[str, ...]:
    """Writes an array as `read_photograph` returns it; the suffix picks the format.

    JPEG, AVIF and HEIC are written with quality 95, everything else without loss. The file appears
    whole or not at all.

    Returns:
      What of `metadata` the format cannot hold, for the user to read.

    Raises:
      InputError: the format cannot hold the array.
    """
    metadata = metadata or Metadata()
    refuse_unwritable(path, image, metadata)
    kind = _KINDS[Path(path).suffix.lower()]
    metadata, notes = _reduced(metadata, kind)
    if kind == "PNG":
        encoded = png.encode(image, metadata)
    elif kind == "TIFF":
        encoded = tiff.encode(image, metadata)
    else:
        encoded = lossy.encode(image, metadata, kind)
    write_bytes(path, encoded)
    return notes


def refuse_unwritable(path: str | os.PathLike, image: np.ndarray, metadata: Metadata) -> None:
    """Raises the InputError of `write_image`, before there is a result to be lost."""
    suffix = Path(path).suffix.lower()
    kind = _KINDS.get(suffix)
    if kind is None:
        raise InputError(f"{path}: known formats are {', '.join(SUFFIXES)}")
    if image.dtype == np.uint16 and kind not in _DEEP_KINDS:
        raise InputError(f"{path}: 16 bits need PNG or TIFF")
    if max(image.shape) > _LONGEST_SIDE.get(kind, max(image.shape)):
        raise InputError(
            f"{path}: {suffix} holds at most {_LONGEST_SIDE[kind]} pixels a side: take PNG or TIFF"
        )
    if kind == "HEIF" and image.ndim == 3 and image.shape[2] == 2:
        raise InputError(f"{path}: gray with an alpha channel needs PNG or TIFF")
    if has_alpha(image):
        if kind in _OPAQUE_KINDS:
            raise InputError(f"{path}: an alpha channel needs PNG, TIFF or WebP")
        if metadata.alpha == 1 and kind != "TIFF":
            raise InputError(f"{path}: colours that are multiplied by their alpha need TIFF")


@contextlib.contextmanager
def _opened(path: str | os.PathLike, max_megapixels: float) -> Iterator[Stored]:
    """The header of an image file; what is raised inside becomes an InputError with its name."""
    check_regular(path)
    try:
        file = open(path, "rb")  # noqa: SIM115 (closed below)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {reason(error)}") from None
    with file:
        try:
            # A sparse file may pretend to any length, and some decoders take it whole.
            size = os.fstat(file.fileno()).st_size
            if size > (1 << 26) + 8e6 * max_megapixels:
                raise InputError(f"is a file of {size / 1e9:.1f} GB, too large for an image")
            stored = _stored(file)
            pixels = stored.size[0] * stored.size[1]
            if not 0 < pixels <= max_megapixels * 1e6:  # also where the limit is no number
                raise InputError(
                    f"has {pixels / 1e6:.1f} megapixels, more than --max_megapixels="
                    f"{max_megapixels:g}"
                )
            yield stored
        except InputError as error:
            raise InputError(f"{path} {error}") from None
        # Decoders meet a damaged file with whatever exception they happen to run into.
        except Exception as error:
            text = str(error).splitlines()[:1] or [type(error).__name__]
            raise InputError(f"{path} is unreadable or truncated: {text[0]}") from None


def _stored(file: BinaryIO) -> Stored:
    kind = kind_of(file)
    if kind == "PNG":
        return png.read(file)
    return tiff.read(file) if kind == "TIFF" else lossy.read(file, kind)


def _reduced(metadata: Metadata, kind: str) -> tuple[Metadata, tuple[str, ...]]:
    """What a format can hold of the metadata, and what it cannot in words."""
    notes = ()
    if kind == "BMP" and (says_more_than_resolution(metadata.exif) or metadata.icc):
        notes += ("BMP holds neither EXIF nor colour profile here: they are left out",)
    if kind == "JPEG" and not lossy.fits_jpeg(metadata):
        notes += ("its EXIF is too large for a JPEG and left out",)
        metadata = Metadata(icc=metadata.icc)
    holders = ("PNG", "HEIF") if b"cICP" in metadata.png_colour else ("PNG",)
    if kind not in holders and png.is_special(metadata.png_colour) and not metadata.icc:
        names = " and HEIC" if len(holders) > 1 else ""
        notes += (f"only PNG{names} can hold its description of colours: it is left out",)
    return metadata, notes
