"""PNG, decoded and encoded by libpng; its chunks are walked through here.

libpng tells neither EXIF nor how many images an animation has, and gives up on large profiles
that are valid. A damaged chunk that is not critical is no reason to refuse an image.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import BinaryIO

import imagecodecs
import numpy as np

from srn_tf.common.errors import InputError
from srn_tf.media.metadata import (
    Metadata,
    dots_per_inch,
    exif_block,
    parse_exif,
    with_resolution,
)
from srn_tf.media.stored import Stored

_SIGNATURE_BYTES = 8
_LARGEST_PROFILE = 1 << 26
_COLOUR = (b"cICP", b"cHRM", b"gAMA", b"sRGB")
_GAMMA_OF_SRGB = 45455  # 1 / 2.2 in units of 1e-5
_PER_METRE = 1  # unit of pHYs
_READ = (b"IHDR", b"pHYs", b"eXIf", b"iCCP", b"acTL", *_COLOUR)


def read(file: BinaryIO) -> Stored:
    """The header of a PNG file (see `Stored`)."""
    chunks = {}
    for name, content in _chunks(file):
        chunks.setdefault(name, content)  # of two libpng takes the first
    header = chunks.get(b"IHDR")
    if header is None or len(header) != 13:
        raise InputError("is unreadable: it has no header")
    width, height = (int.from_bytes(header[i : i + 4], "big") for i in (0, 4))
    images = int.from_bytes(chunks.get(b"acTL", b"")[:4], "big")
    if images > 1:
        raise InputError(f"holds {images} images: split it into one file each")
    orientation, exif, notes = parse_exif(chunks.get(b"eXIf", b""))
    scale = chunks.get(b"pHYs", b"")
    if len(scale) == 9 and scale[8] == _PER_METRE:
        x, y = (Fraction(int.from_bytes(scale[i : i + 4], "big"), 100) for i in (0, 4))
        exif = with_resolution(exif, (x, y), 3)
    icc, profile_notes = _profile(chunks.get(b"iCCP", b""))
    colour = {name: chunks[name] for name in _COLOUR if name in chunks}
    metadata = Metadata(exif, icc, colour, notes=notes + profile_notes)

    def decode() -> np.ndarray:
        file.seek(0)
        return imagecodecs.png_decode(file.read())

    return Stored((height, width), decode, orientation, metadata)


def encode(image: np.ndarray, metadata: Metadata) -> bytes:
    """A PNG file of uint8 or uint16 `[H, W]` or `[H, W, 2 to 4]`."""
    # As fast and nearly as small as OpenCV's: level 1, strategy "run lengths", filter "sub".
    encoded = imagecodecs.png_encode(np.ascontiguousarray(image), level=1, strategy=3, filter=16)
    extra = b"".join(_chunk(name, content) for name, content in metadata.png_colour.items())
    scale = dots_per_inch(metadata.exif)
    if scale:
        sides = b"".join(round(each / 0.0254).to_bytes(4, "big") for each in scale)
        extra += _chunk(b"pHYs", sides + bytes([_PER_METRE]))
    if metadata.icc:
        extra += _chunk(b"iCCP", b"ICC\0\0" + zlib.compress(metadata.icc))
    block = exif_block(metadata.exif, image.shape[:2])
    if block:
        extra += _chunk(b"eXIf", block.removeprefix(b"Exif\0\0"))
    header_end = _SIGNATURE_BYTES + 12 + 13
    return encoded[:header_end] + extra + encoded[header_end:]


def is_special(colour: Mapping[bytes, bytes]) -> bool:
    """Whether colour chunks describe other colours than sRGB, which files without them mean."""
    if b"cICP" in colour or b"sRGB" in colour:
        return b"cICP" in colour
    gamma = int.from_bytes(colour.get(b"gAMA", b""), "big") or _GAMMA_OF_SRGB
    return b"cHRM" in colour or abs(gamma - _GAMMA_OF_SRGB) > 100


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of the undamaged chunks that are read here."""
    file.seek(_SIGNATURE_BYTES)
    while True:
        head = file.read(8)
        length, name = int.from_bytes(head[:4], "big"), head[4:]
        if len(head) < 8 or (name == b"IEND" and len(file.read(4)) < 4):
            raise InputError("is unreadable or truncated: its end is missing")
        if name == b"IEND":
            return
        if name in _READ and length <= _LARGEST_PROFILE:
            content, checksum = file.read(length), file.read(4)
            if zlib.crc32(name + content) == int.from_bytes(checksum, "big"):
                yield name, content
        else:
            file.seek(length + 4, 1)


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content)
    return len(content).to_bytes(4, "big") + name + content + checksum.to_bytes(4, "big")


def _profile(chunk: bytes) -> tuple[bytes, tuple[str, ...]]:
    if not chunk:
        return b"", ()
    _, _, compressed = chunk.partition(b"\0")
    try:
        inflater = zlib.decompressobj()
        profile = inflater.decompress(compressed[1:], _LARGEST_PROFILE)
        if inflater.eof:
            return profile, ()
    except zlib.error:
        pass
    return b"", ("its colour profile is damaged and left out",)
