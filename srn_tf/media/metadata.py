"""What a photograph carries beside its pixels: orientation, EXIF and colour profile.

EXIF is kept as a mapping from tag to value; the values of `EXIF_IFD`, in it of `_INTEROP_IFD`, and
of `GPS_IFD` are such mappings themselves. Texts are kept byte by byte, whatever their encoding.
What speaks of the place of things in the old file is left out: the thumbnail (which would show the
blurred photograph), the orientation (pixels are turned upright) and the camera maker's private
block. Neither XMP and IPTC nor the texts of a PNG are copied. Orientation is that of EXIF alone;
what XMP may say counts for no format.
"""

from __future__ import annotations

import dataclasses
import struct
import threading
import warnings
from collections.abc import Mapping
from numbers import Rational
from typing import BinaryIO

import numpy as np
import PIL.Image
import PIL.TiffImagePlugin

EXIF_IFD, GPS_IFD = 0x8769, 0x8825
_ORIENTATION = 0x0112
_PIXEL_X, _PIXEL_Y = 0xA002, 0xA003
# ImageDescription, Make, Model, XResolution, YResolution, ResolutionUnit, Software, DateTime,
# Artist, Copyright
_DESCRIPTIVE = (0x010E, 0x010F, 0x0110, 0x011A, 0x011B, 0x0128, 0x0131, 0x0132, 0x013B, 0x8298)
_RESOLUTION = _X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 0x011A, 0x011B, 0x0128
_PER_INCH = {2: 1.0, 3: 2.54}  # by the unit: inches and centimetres
_INTEROP_IFD = 0xA005
_INTEROP = (1, 2)  # its index and version; "R03" is how cameras say Adobe RGB
_BOUND_TO_THE_FILE = (0x927C, _INTEROP_IFD)  # MakerNote, and where the other lies
# H.273 for sRGB, for television, which viewers show like it, and for what is not told.
_PLAIN_PRIMARIES, _PLAIN_TRANSFER = (1, 2), (1, 2, 6, 13)
_ONE_THREAD = threading.Lock()  # at a time may look for warnings, which all threads share

# EXIF orientation -> how to turn the stored array upright (EXIF 2.3, tag 0x0112).
_UPRIGHT = {
    1: np.asarray,
    2: np.fliplr,
    3: lambda image: np.rot90(image, 2),
    4: np.flipud,
    5: lambda image: np.rot90(np.fliplr(image)),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: np.rot90(np.fliplr(image), -1),
    8: np.rot90,
}


@dataclasses.dataclass(frozen=True)
class Metadata:
    """What is copied from the input to the output.

    Attributes:
      exif: as the module describes it; empty when there is none.
      icc: the ICC colour profile; empty when there is none.
      png_colour: the colour chunks of a PNG by their names, or what an AVIF or HEIC says as one.
      alpha: of a TIFF with an alpha channel its tag ExtraSamples: 0 unspecified, 1 associated
        (colours are multiplied by it), 2 unassociated, which is what all other formats have.
      notes: what could not be kept, for the user to read.
    """

    exif: Mapping[int, object] = dataclasses.field(default_factory=dict)
    icc: bytes = b""
    png_colour: Mapping[bytes, bytes] = dataclasses.field(default_factory=dict)
    alpha: int = 2
    notes: tuple[str, ...] = ()


def parse_exif(block: bytes | BinaryIO) -> tuple[int, dict[int, object], tuple[str, ...]]:
    """Reads an EXIF block, or the tags of a TIFF file.

    Returns:
      The orientation, which is 1 unless it is an integer from 1 to 8; what is to be copied; and a
      note if the block is malformed.
    """
    if block == b"":
        return 1, {}, ()
    with _ONE_THREAD, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        orientation, kept, notes = _parsed(block)
    words = " ".join(str(warning.message) for warning in said)
    if kept and ("orrupt EXIF" in words or "Truncated" in words):
        notes = ("its EXIF is damaged: what could be read of it is kept",)
    return orientation, kept, notes


def _parsed(block: bytes | BinaryIO) -> tuple[int, dict[int, object], tuple[str, ...]]:
    source, kept, orientation = PIL.Image.Exif(), {}, 1
    try:
        if isinstance(block, bytes):
            source.load(block)
        else:
            source.load_from_fp(block)
        if isinstance(block, bytes) and not len(source):
            raise ValueError("it has no tags")
        orientation = valid_orientation(source.get(_ORIENTATION))
        for tag in _DESCRIPTIVE:
            if tag in source:
                kept[tag] = _bytewise(source[tag])
        for ifd in (EXIF_IFD, GPS_IFD):
            tags = {
                tag: _bytewise(value)
                for tag, value in source.get_ifd(ifd).items()
                if tag not in _BOUND_TO_THE_FILE
            }
            if tags:
                kept[ifd] = tags
        interop = {
            tag: _bytewise(value)
            for tag, value in source.get_ifd(_INTEROP_IFD).items()
            if tag in _INTEROP
        }
        if interop and EXIF_IFD in kept:
            kept[EXIF_IFD][_INTEROP_IFD] = interop
        exif_block(kept, (1, 1))  # values of wrong types are noticed when they are written
    except (SyntaxError, ValueError, TypeError, LookupError, OSError, struct.error) as error:
        return orientation, {}, (f"its EXIF is malformed and left out ({error})",)
    except (AttributeError, ArithmeticError, RecursionError, MemoryError) as error:
        return orientation, {}, (f"its EXIF is malformed and left out ({type(error).__name__})",)
    return orientation, kept, ()


class _Text(str):
    """What Pillow has read as Latin-1, whose bytes it would write as ASCII."""

    def encode(self, *_: str) -> bytes:
        return super().encode("latin-1")


def _bytewise(value: object) -> object:
    return _Text(value) if isinstance(value, str) else value


def with_resolution(
    exif: Mapping[int, object], resolution: tuple[Rational, Rational], unit: int
) -> dict[int, object]:
    """EXIF with the dots per inch (`unit` 2) or centimetre (3), unless it tells them itself."""
    if _X_RESOLUTION in exif or unit not in _PER_INCH or min(resolution) <= 0:
        return dict(exif)
    x, y = (PIL.TiffImagePlugin.IFDRational(each) for each in resolution)
    return {**exif, _X_RESOLUTION: x, _Y_RESOLUTION: y, _RESOLUTION_UNIT: unit}


def dots_per_inch(exif: Mapping[int, object]) -> tuple[float, float] | None:
    """From left to right and from top to bottom; None where EXIF does not tell."""
    scale = _PER_INCH.get(exif.get(_RESOLUTION_UNIT, 2))
    try:
        x, y = (scale * float(exif[tag]) for tag in (_X_RESOLUTION, _Y_RESOLUTION))
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None
    return (x, y) if min(x, y) > 0 and max(x, y) < 1 << 16 else None


def says_more_than_resolution(exif: Mapping[int, object]) -> bool:
    """Whether EXIF holds anything else."""
    return bool(exif.keys() - set(_RESOLUTION))


def colour_chunk(primaries: int, transfer: int) -> dict[bytes, bytes]:
    """Codes of H.273, as AVIF and HEIC have them, as a PNG's cICP; none where they mean sRGB."""
    if primaries in _PLAIN_PRIMARIES and transfer in _PLAIN_TRANSFER:
        return {}
    return {b"cICP": bytes([primaries, transfer, 0, 1])}


def valid_orientation(value: object) -> int:
    """`value` if it is an integer from 1 to 8, otherwise 1."""
    return int(value) if isinstance(value, int) and value in _UPRIGHT else 1


def upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """The image as it is to be shown."""
    return np.ascontiguousarray(_UPRIGHT[orientation](image))


def exif_block(exif: Mapping[int, object], size: tuple[int, int]) -> bytes:
    """The block that image files hold, which begins with "Exif"; empty for no tags.

    Args:
      exif: as the module describes it.
      size: height and width of the image in pixels, put where the tags speak of them.
    """
    if not exif:
        return b""
    block = PIL.Image.Exif()
    for tag, value in exif.items():
        block[tag] = sized(value, size) if isinstance(value, Mapping) else value
    return block.tobytes()


def sized(tags: Mapping[int, object], size: tuple[int, int]) -> dict[int, object]:
    """The same tags, those of the image's height and width corrected to `size`."""
    return {**tags, **{tag: side for tag, side in zip((_PIXEL_Y, _PIXEL_X), size) if tag in tags}}
