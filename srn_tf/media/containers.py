"""Which videos are read and written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

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
