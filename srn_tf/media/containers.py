"""Which videos are read and written, and what the bytes of a file tell of its parts.

A container announces the length of each of its parts: a file that ends before one of them does was
cut off. The number of frames that it announces says nothing: it is an estimate.
"""

from __future__ import annotations

import collections
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

DEMUXERS = "mov,matroska,avi,mpegts,mpeg,asf,flv,gif,mxf,ogg"


class Codec(NamedTuple):
    """How frames are encoded.

    Attributes:
      encoder: FFmpeg's name.
      pixels: its pixel format for 8 bits.
      deep_pixels: the one for more than 8 bits; None where it has none.
      crf: default of the constant rate factor; None where there is no such thing.
      is_even: it takes even heights and widths only.
      options: further options of the encoder.
    """

    encoder: str
    pixels: str
    deep_pixels: str | None
    crf: int | None
    is_even: bool
    options: dict[str, str]


CODECS = {
    # No frames that refer to later ones: at a variable rate MP4 would lose the time of the last.
    "h264": Codec("libx264", "yuv420p", "yuv420p10le", 18, True, {"bf": "0"}),
    "vp9": Codec("libvpx-vp9", "yuv420p", None, 24, False, {"b": "0", "row-mt": "1"}),
    "ffv1": Codec("ffv1", "bgr0", "gbrp16le", None, False, {"level": "3"}),
}


class Container(NamedTuple):
    """A kind of file to write: FFmpeg's name of it and the codecs it holds, the default first."""

    muxer: str
    codecs: tuple[str, ...]


CONTAINERS = {
    ".mp4": Container("mp4", ("h264", "vp9")),
    ".m4v": Container("mp4", ("h264", "vp9")),
    ".mov": Container("mov", ("h264",)),
    ".mkv": Container("matroska", ("h264", "vp9", "ffv1")),
    ".webm": Container("webm", ("vp9",)),
}

# What is written for other kinds of videos: Matroska where MP4 would often not hold the sound.
_CONVERTED = {
    **dict.fromkeys((".mts", ".m2ts", ".ts", ".mpg", ".mpeg", ".flv", ".gif"), ".mp4"),
    **dict.fromkeys((".avi", ".wmv", ".asf", ".3gp", ".3g2", ".vob", ".mxf", ".ogv"), ".mkv"),
}
SUFFIXES = (*CONTAINERS, *_CONVERTED)  # of videos that are read


def is_video(path: str | os.PathLike) -> bool:
    """Whether the suffix of `path` is that of a video that is read here."""
    return Path(path).suffix.lower() in SUFFIXES


def written_name(path: Path) -> Path:
    """The same, or `clip.mts.mp4` for a video that is not written as it was: no two share one."""
    return path.with_name(path.name + _CONVERTED.get(path.suffix.lower(), ""))


# The boxes of MP4 and QuickTime that FFmpeg reads or that hold nothing to be kept.
_BOXES = frozenset(
    b"ftyp styp pdin moov moof mfra mdat free skip wide sidx ssix prft meta udta emsg pnot mvhd "
    b"trak mvex iods tkhd mdia edts tref load clip chpl loci name hnti hinf".split()
)
_NO_INDEX = (
    "it has no index (moov): its recording was broken off, or it was not copied to its end. A tool "
    "such as untrunc can rebuild the index from another video of the same camera"
)
_PARENTS = (b"moov", b"trak", b"udta")
_EBML, _SEGMENT = b"\x1aE\xdf\xa3", b"\x18S\x80g"  # the two parts of Matroska
_ASF = (b"0&\xb2u", b"6&\xb2u", b"\x90\x08\0\x33", b"\xd3\x29\xe2\xd6", b"\xf8\x03\xb1\xfe")


def check_structure(file: BinaryIO) -> tuple[str, collections.Counter[str]]:
    """Walks through the parts of an MP4, QuickTime, Matroska, WebM, AVI or ASF file.

    Returns:
      What is wrong with it, empty for nothing, and the parts that FFmpeg does not read. Of other
      kinds of files nothing is known.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(16)
    extras: collections.Counter[str] = collections.Counter()
    names, position = set(), 0
    if head[4:8] in _BOXES:
        for name, end, depth in _boxes(file, 0, size):
            if name in _BOXES:
                names.add(name)
            elif not depth and (end > size or not name.isalnum()):
                break  # whatever a camera writes behind the video
            elif not name.startswith(b"\xa9"):  # texts, which FFmpeg reads
                extras[f"box {str(name)[2:-1]}"] = 1
            position = position if depth else end
    elif head.startswith((b"RIFF", _EBML, _ASF[0])):
        while position < size:
            file.seek(position)
            length = _length(file.read(24), size - position)
            if not length:
                break
            position += length
    if 0 < position < size:
        extras["trailing data"] = 1
    if names and not names & {b"moov", b"moof"}:
        return _NO_INDEX, extras
    return "it ends early (truncated?)" if position > size else "", extras


def _boxes(
    file: BinaryIO, begin: int, end: int, depth: int = 0
) -> Iterator[tuple[bytes, int, int]]:
    """Name, end and depth of each box between two places, and of those in `_PARENTS` after it."""
    while begin + 8 <= end:
        file.seek(begin)
        head = file.read(16)
        length, name = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1:
            length = int.from_bytes(head[8:], "big")
        length = length or end - begin
        if length < 8:
            return
        yield name, begin + length, depth
        if name in _PARENTS and depth < len(_PARENTS):
            yield from _boxes(file, begin + 8, min(begin + length, end), depth + 1)
        begin += length


def _length(head: bytes, left: int) -> int:
    """The length of a part of Matroska, AVI or ASF that begins so; 0 for anything else."""
    if head[:4] in (_EBML, _SEGMENT) and head[4:5] > b"\0":
        count = 9 - head[4].bit_length()  # the bytes of the number
        number = int.from_bytes(head[4 : 4 + count], "big") & ((1 << 7 * count) - 1)
        return left if number == (1 << 7 * count) - 1 else 4 + count + number  # all 1: not known
    if head[:4] == b"RIFF":
        return 8 + int.from_bytes(head[4:8], "little")
    return int.from_bytes(head[16:24], "little") if head[:4] in _ASF else 0
