"""The chunks, segments and boxes of a file, each of which announces its length.

A file that ends before one of them does was cut off, which decoders do not always tell.
"""

from __future__ import annotations

import collections
import os
import re
from collections.abc import Generator, Iterator
from typing import BinaryIO

Part = tuple[bytes, int, int]  # name, beginning and length of the content

_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")  # of a JPEG; neither data nor a restart
_COMMENT, _END = 0xFE, 0xD9
_NAME = re.compile(rb"[\w ]{4}|\xa9.{3}", re.DOTALL)
_OUTERMOST = {  # how the outermost parts begin
    "AVI": (b"RIFF",),
    "MATROSKA": (b"\x1aE\xdf\xa3", b"\x18S\x80g"),
    "ASF": (b"0&\xb2u", b"6&\xb2u", b"\x90\x08\0\x33", b"\xd3\x29\xe2\xd6", b"\xf8\x03\xb1\xfe"),
}
# The boxes of MP4 and QuickTime that FFmpeg reads or that hold nothing to be kept.
_BOXES = frozenset(
    b"ftyp styp pdin moov moof mfra mdat free skip wide sidx ssix prft meta udta emsg pnot mvhd "
    b"trak mvex iods tkhd mdia edts tref load clip chpl loci name hnti hinf".split()
)
_PARENTS = (b"moov", b"trak", b"udta")
_NO_INDEX = (
    "it has no index (moov): its recording was broken off, or it was not copied to its end. A tool "
    "such as untrunc can rebuild the index from another video of the same camera"
)


def parts(file: BinaryIO, kind: str) -> Iterator[Part]:
    """The parts of a PNG, JPEG, WEBP, AVIF, HEIF, MP4, AVI, MATROSKA or ASF; none of other kinds.

    Of MP4 the boxes in moov, trak and udta are given too. The last part has no name: it is what is
    behind the others, or as long below 0 as the file is too short. A whole file has none.
    """
    size = file.seek(0, os.SEEK_END)
    if kind == "JPEG":
        end = yield from _segments(file)
    elif kind in ("PNG", "WEBP", "AVIF", "HEIF", "MP4", *_OUTERMOST):
        file.seek(4)
        length = int.from_bytes(file.read(4), "little")
        stop = min(size, 8 + length) if kind == "WEBP" else size
        end = yield from _chunks(file, kind, {"PNG": 8, "WEBP": 12}.get(kind, 0), stop)
    else:
        return
    if end != size:
        yield b"", end, size - end


def check_structure(file: BinaryIO) -> tuple[str, collections.Counter[str]]:
    """What is wrong with a video, empty for nothing, and the parts that FFmpeg does not read.

    Only of MP4, QuickTime, Matroska, WebM, AVI and ASF is anything known.
    """
    file.seek(0)
    head = file.read(8)
    kind = next((kind for kind, names in _OUTERMOST.items() if head[:4] in names), "")
    kind = "MP4" if head[4:] in _BOXES else kind
    damage, extras, names = "", collections.Counter(), set()
    for name, _, length in parts(file, kind):
        names.add(name)
        if not name and length < 0:
            damage = "it ends early (truncated?)"
        elif not name:
            extras["trailing data"] = 1
        elif kind == "MP4" and name not in _BOXES and name[0] != 0xA9:  # texts, which FFmpeg reads
            extras[f"box {name.decode()}"] = 1
    if kind == "MP4" and not names & {b"moov", b"moof"}:
        damage = _NO_INDEX
    return damage, extras


def _segments(file: BinaryIO) -> Generator[Part, None, int]:
    """Comments and application segments of a JPEG; returns where its first image ends."""
    file.seek(0)
    content, at = file.read(), 2
    while marker := _MARKER.search(content, at):
        code, begin = marker[1][0], marker.end() + 2
        if code == _END:
            return marker.end()
        length = int.from_bytes(content[marker.end() : begin], "big") - 2
        if code == _COMMENT:
            yield b"comment", begin, length
        elif 0xE0 <= code <= 0xEF:
            word = re.match(rb"[\x20-\x7e]{0,40}", content[begin : begin + length])[0]
            yield b"APP%d %s" % (code - 0xE0, word), begin, length
        at = begin + max(length, 0)
    return len(content)


def _chunks(
    file: BinaryIO, kind: str, at: int, stop: int, depth: int = 0
) -> Generator[Part, None, int]:
    """The parts between two places; returns where the last one ends by what it announces."""
    name = b""
    while at + 8 <= stop and name != b"IEND":
        file.seek(at)
        name, begin, length = _head(file.read(24), kind, stop - at)
        if not name:
            break
        yield name, at + begin, length - begin
        if kind == "MP4" and name in _PARENTS and depth < len(_PARENTS):
            yield from _chunks(file, kind, at + begin, min(at + length, stop), depth + 1)
        at += length
    return at


def _head(head: bytes, kind: str, left: int) -> tuple[bytes, int, int]:
    """Name of the part that begins so, empty for none, and the bytes to its content and its end."""
    first, second = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:8], "little")
    name, begin = head[:4], 8
    if kind == "PNG":
        name, end = head[4:8], 12 + first
    elif kind == "AVI":
        end = 8 + second
    elif kind == "WEBP":
        end = 8 + second + second % 2
    elif kind == "ASF":
        end = int.from_bytes(head[16:24], "little")
    elif kind == "MATROSKA":
        begin = 13 - head[4].bit_length()  # the first byte tells how many the length has
        unknown = (1 << 7 * (begin - 4)) - 1
        length = int.from_bytes(head[4:begin], "big") & unknown
        end = left if length == unknown else begin + length
    else:
        name, begin = head[4:8], 16 if first == 1 else 8
        end = int.from_bytes(head[8:16], "big") if first == 1 else first or left
        if kind == "MP4" and name not in _BOXES and end > left:
            return b"", 0, 0  # whatever a camera writes behind the video
    is_name = name in _OUTERMOST[kind] if kind in _OUTERMOST else _NAME.fullmatch(name)
    return name if is_name and end >= begin else b"", begin, end
