"""What a photograph carries beside its pixels: orientation, EXIF, resolution and colours.

EXIF is handed on as the bytes that it is. Only numbers that are wrong for the output are changed in
their places, so that maker's notes and texts of any encoding stay as they are. Orientation is that
of EXIF alone.
"""

from __future__ import annotations

import contextlib
import dataclasses
import struct
from collections.abc import Iterator, Mapping

import numpy as np
import PIL.Image

IFD0, EXIF_IFD, GPS_IFD, INTEROP_IFD = 0, 0x8769, 0x8825, 0xA005
MAKER_NOTE = 0x927C
THUMBNAIL = -1  # no tag but the offset of the second directory, which describes the thumbnail
_ORIENTATION, _WIDTH, _HEIGHT = 0x0112, 0xA002, 0xA003
_BELOW = {IFD0: (EXIF_IFD, GPS_IFD), EXIF_IFD: (INTEROP_IFD,)}
_SHORT = 3
# EXIF's orientations of images whose last row, or last column, is stored first (tag 0x0112).
_UPSIDE_DOWN, _MIRRORED = (3, 4, 7, 8), (2, 3, 6, 7)


@dataclasses.dataclass(frozen=True)
class Metadata:
    """What is copied from the input to the output, and the names of all that the input holds.

    Attributes:
      exif: the EXIF block without "Exif" in front, which is a TIFF file without pixels.
      icc: the ICC colour profile.
      dpi: dots per inch, horizontally and vertically, where the format has them outside of EXIF.
      colour: the colour chunks of a PNG by their names, or what an AVIF or HEIC says as one.
      alpha: of a TIFF with an alpha channel its tag ExtraSamples: 0 unspecified, 1 associated
        (colours are multiplied by it), 2 unassociated, which is what all other formats have.
      contents: see `srn_tf.media.inventory`.
    """

    exif: bytes = b""
    icc: bytes = b""
    dpi: tuple[float, float] | None = None
    colour: Mapping[bytes, bytes] = dataclasses.field(default_factory=dict)
    alpha: int = 2
    contents: frozenset[str] = frozenset()


def entries(block: bytes) -> Iterator[tuple[int, int, str, int]]:
    """All tags of an EXIF block, or of the first image of a TIFF file, as far as they are sound.

    Yields:
      Directory, tag (or `THUMBNAIL`), format of its value for `struct`, if that is a number, and
      place of the value, or of its offset.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(block[:4]), "")
    directories = [(IFD0, 4)] if order else []
    with contextlib.suppress(struct.error):
        for directory, pointer in directories:
            (start,) = struct.unpack_from(f"{order}I", block, pointer)
            (count,) = struct.unpack_from(f"{order}H", block, start)
            end = start + 2 + 12 * count
            for place in range(start + 2, end, 12):
                tag, kind = struct.unpack_from(f"{order}HH", block, place)
                yield directory, tag, f"{order}{'H' if kind == _SHORT else 'I'}", place + 8
                if tag in _BELOW.get(directory, ()):
                    directories.append((tag, place + 8))
            if directory == IFD0 and any(block[end : end + 4]):
                yield IFD0, THUMBNAIL, f"{order}I", end


def sound_exif(block: bytes | None) -> bytes:
    """An EXIF block without "Exif" in front; empty if it has no tag that can be read."""
    block = (block or b"").removeprefix(b"Exif\0\0")
    return block if any(entries(block)) else b""


def orientation_of(block: bytes) -> int:
    """EXIF's orientation, which is 1 unless it is a number from 1 to 8."""
    for directory, tag, number, place in entries(block):
        if (directory, tag) == (IFD0, _ORIENTATION):
            return known_orientation(*struct.unpack_from(number, block, place))
    return 1


def known_orientation(value: object) -> int:
    """`value` if it is an integer from 1 to 8, otherwise 1."""
    return int(value) if isinstance(value, int) and 1 <= value <= 8 else 1


def upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """The image as it is to be shown."""
    image = image.swapaxes(0, 1) if orientation >= 5 else image
    down, right = (-1 if orientation in turned else 1 for turned in (_UPSIDE_DOWN, _MIRRORED))
    return np.ascontiguousarray(image[::down, ::right])


def exif_of(tags: Mapping[int, object]) -> bytes:
    """An EXIF block with these tags; directories are dictionaries."""
    exif = PIL.Image.Exif()
    for tag, value in tags.items():
        exif[tag] = value
    return exif.tobytes().removeprefix(b"Exif\0\0") if tags else b""


def exif_for(metadata: Metadata, size: tuple[int, int], resolution: bool = False) -> bytes:
    """The EXIF block for an upright image of that height and width, without thumbnail.

    Where there is no EXIF and `resolution` is set, it tells the resolution.
    """
    if not metadata.exif and resolution and metadata.dpi:
        return exif_of({282: metadata.dpi[0], 283: metadata.dpi[1], 296: 2})  # per inch
    new = {(IFD0, _ORIENTATION): 1, (IFD0, THUMBNAIL): 0}
    new.update({(EXIF_IFD, _HEIGHT): size[0], (EXIF_IFD, _WIDTH): size[1]})
    block = bytearray(metadata.exif)
    for directory, tag, number, place in entries(metadata.exif):
        if (directory, tag) in new:
            with contextlib.suppress(struct.error):  # a side above 65535 in 16 bits
                struct.pack_into(number, block, place, new[directory, tag])
    return bytes(block)
