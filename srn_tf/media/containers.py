"""Which videos are read and written, and whether the file of one is whole.

A container announces lengths of what follows; a file that ends before one of them was cut off. The
number of frames that a container announces says nothing: it is an estimate, often of the sound.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import BinaryIO

DEMUXERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi"
# What an MP4 or a QuickTime file consists of. Anything else behind it is a camera's own trailer.
_BOXES = frozenset(
    b"ftyp styp pdin moov moof mfra mdat free skip wide sidx ssix prft uuid meta udta emsg "
    b"pnot".split()
)
_SEGMENT = b"\x18\x53\x80\x67"  # of Matroska


@dataclasses.dataclass(frozen=True)
class Codec:
    """How frames are encoded.

    Attributes:
      encoder: FFmpeg's name.
      pixels: its format for 8 bits.
      odd_pixels: the same where height or width is odd.
      deep_pixels: for more than 8 bits; None where it has none.
      odd_deep_pixels: the same where height or width is odd.
      crf: default of the constant rate factor; None where there is no such thing.
      options: further options of the encoder.
    """

    encoder: str
    pixels: str
    odd_pixels: str
    deep_pixels: str | None
    odd_deep_pixels: str | None
    crf: int | None
    options: dict[str, str] = dataclasses.field(default_factory=dict)


CODECS = {
    # Half the colour resolution cannot be had at odd sizes; full resolution can. No frames that
    # refer to later ones: at a variable rate MP4 would lose the time of the last.
    "h264": Codec("libx264", "yuv420p", "yuv444p", "yuv420p10le", "yuv444p10le", 18, {"bf": "0"}),
    "vp9": Codec("libvpx-vp9", "yuv420p", "yuv420p", None, None, 24, {"b": "0", "row-mt": "1"}),
    "ffv1": Codec("ffv1", "bgr0", "bgr0", "gbrp16le", "gbrp16le", None, {"level": "3"}),
    "mjpeg": Codec("mjpeg", "yuvj420p", "yuvj444p", None, None, None, {"qmin": "1", "qmax": "2"}),
}


@dataclasses.dataclass(frozen=True)
class Container:
    """A kind of file: FFmpeg's name of the muxer, and the codecs it holds, the default first."""

    muxer: str
    codecs: tuple[str, ...]

    @property
    def is_mp4(self) -> bool:
        """Whether it is MP4 or QuickTime, of which the former was made."""
        return self.muxer in ("mp4", "mov")


CONTAINERS = {
    ".mp4": Container("mp4", ("h264", "vp9")),
    ".m4v": Container("mp4", ("h264", "vp9")),
    ".mov": Container("mov", ("h264", "mjpeg")),
    ".mkv": Container("matroska", ("h264", "vp9", "ffv1", "mjpeg")),
    ".webm": Container("webm", ("vp9",)),
    ".avi": Container("avi", ("mjpeg", "ffv1")),
}


def is_video(path: str | os.PathLike) -> bool:
    """Whether the suffix of `path` is one of the formats handled here."""
    return Path(path).suffix.lower() in CONTAINERS


def is_cut_off(file: BinaryIO) -> bool:
    """Whether an MP4, QuickTime, Matroska, WebM or AVI file ends before what it announces."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if head[:4] == b"RIFF":
        return 8 + int.from_bytes(head[4:8], "little") > size
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return _matroska_end(file) > size
    position = 0
    while position + 8 <= size:
        file.seek(position)
        box = file.read(16)
        length = int.from_bytes(box[:4], "big")
        if length == 1:
            length = int.from_bytes(box[8:], "big")
        if length < 8 or box[4:8] not in _BOXES:  # 0: up to the end of the file
            break
        position += length
    return position > size


def _matroska_end(file: BinaryIO) -> int:
    """Where the segment ends by its header; 0 when the header leaves that open (a live stream)."""
    file.seek(4)
    length, _ = _vint(file)
    file.seek(length or 0, os.SEEK_CUR)
    if file.read(4) != _SEGMENT:
        return 0
    length, unknown = _vint(file)
    return 0 if unknown else file.tell() + length


def _vint(file: BinaryIO) -> tuple[int, bool]:
    """A number of Matroska's, and whether it is the one that stands for "unknown"."""
    first = (file.read(1) or b"\xff")[0]
    count = 8 - first.bit_length()  # of bytes that follow
    value = (first & ((1 << (7 - count)) - 1) if count < 8 else 0) << (8 * count)
    value |= int.from_bytes(file.read(count), "big")
    return value, value == (1 << 7 * (count + 1)) - 1
