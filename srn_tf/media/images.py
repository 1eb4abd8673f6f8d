"""Reading and writing image files, strictly: an image is decoded whole or refused by name.

Arrays are uint8 or uint16, `[H, W]` (gray), `[H, W, 2]` (gray and alpha), `[H, W, 3]` (RGB) or
`[H, W, 4]` (RGBA), upright: the EXIF orientation is applied when reading. The content of a file
decides how it is read, its suffix how it is written.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from srn_tf.common.errors import InputError, named
from srn_tf.common.files import check_regular, reading, write_bytes
from srn_tf.media import formats, tiff
from srn_tf.media.inventory import contents
from srn_tf.media.metadata import Metadata, upright

_KINDS = {
    ".png": "PNG",
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),
    ".webp": "WEBP",
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    ".bmp": "BMP",
    **dict.fromkeys((".heic", ".heif", ".hif"), "HEIF"),
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
    with _opened(path, float("inf")) as (_, _, stored):
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
    with _opened(path, max_megapixels) as (file, kind, stored):
        file.seek(0)
        content = file.read()
        image = stored.decode(content)
        if image.shape[:2] != stored.size or image.dtype not in (np.uint8, np.uint16):
            raise InputError(f"is damaged: it announces another image than it holds {image.shape}")
        held = contents(content, kind, stored.metadata)
        metadata = dataclasses.replace(stored.metadata, contents=held)
        return Photograph(upright(image, stored.orientation), metadata)


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
      A line that names what the input held and this file does not; none if it holds everything.

    Raises:
      InputError: the format cannot hold the array.
    """
    metadata = metadata or Metadata()
    refuse_unwritable(path, image, metadata)
    kind = _KINDS[Path(path).suffix.lower()]
    if kind == "TIFF":
        encoded = tiff.encode(image, metadata)
    else:
        encoded = formats.encode(image, metadata, kind)
    write_bytes(path, encoded)
    written = _stored(io.BytesIO(encoded), kind).metadata
    lost = sorted(metadata.contents - contents(encoded, kind, written))
    return (f"not kept: {named(lost, most=12)}",) if lost else ()


def refuse_unwritable(path: str | os.PathLike, image: np.ndarray, metadata: Metadata) -> None:
    """Raises the InputError of `write_image`, before there is a result to be lost."""
    suffix = Path(path).suffix.lower()
    kind = _KINDS.get(suffix)
    if kind is None:
        raise InputError(f"{path}: known formats are {', '.join(SUFFIXES)}")
    if image.dtype == np.uint16 and kind not in _DEEP_KINDS:
        raise InputError(f"{path}: 16 bits need PNG, TIFF or HEIC")
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
def _opened(
    path: str | os.PathLike, max_megapixels: float
) -> Iterator[tuple[BinaryIO, str, formats.Stored]]:
    """An image file, its kind and header; what is raised inside becomes an InputError with name."""
    check_regular(path)
    with reading(path):
        file = open(path, "rb")  # noqa: SIM115 (closed below)
    with file:
        try:
            # A sparse file may pretend to any length, and some decoders take it whole.
            size = os.fstat(file.fileno()).st_size
            if size > (1 << 26) + 8e6 * max_megapixels:
                raise InputError(f"is a file of {size / 1e9:.1f} GB, too large for an image")
            kind = formats.kind_of(file)
            stored = _stored(file, kind)
            pixels = stored.size[0] * stored.size[1]
            if not 0 < pixels <= max_megapixels * 1e6:  # also where the limit is no number
                raise InputError(
                    f"has {pixels / 1e6:.1f} megapixels, more than --max_megapixels="
                    f"{max_megapixels:g}"
                )
            yield file, kind, stored
        except InputError as error:
            raise InputError(f"{path} {error}") from None
        # Decoders meet a damaged file with whatever exception they happen to run into.
        except Exception as error:
            text = (str(error).splitlines() or [""])[0]
            told = f" ({text})" if " " in text else ""  # others, such as "0", tell nothing
            raise InputError(
                f"{path} cannot be decoded: damaged, cut off or of a kind not read here{told}"
            ) from None


def _stored(file: BinaryIO, kind: str) -> formats.Stored:
    return tiff.read(file) if kind == "TIFF" else formats.read(file, kind)
