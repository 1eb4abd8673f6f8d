"""Reading a video: every frame upright, in RGB, with its presentation time; the sound as it is.

FFmpeg's libraries are handed an open file and nothing else: a playlist that calls itself a video
opens no other file.
"""

from __future__ import annotations

import collections
import errno
import os
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import av
import numpy as np

from srn_tf.common.errors import InputError
from srn_tf.common.files import check_regular, reason
from srn_tf.media.containers import DEMUXERS
from srn_tf.media.parts import check_structure

MAX_MEGAPIXELS = 100.0
# Of swscale: bicubic, with all chroma, rounded. Its default is off by 3 gray levels, and wrong for
# some frames of 10 bits (FFmpeg 8.1) and of odd sizes (7.1).
EXACT = 0x46004
FULL_RANGE, LIMITED_RANGE = 2, 1
BT709, BT601 = 1, 6  # matrices of YCbCr, as H.273 counts them
_UNSPECIFIED, _MATRICES = 2, (1, 4, 5, 6, 7, 9)  # the latter: those that swscale knows
_NOT_UNDERSTOOD = (errno.EINVAL, av.error.tag_to_code(b"INDA"))
_COVER = 1 << 10  # disposition of a stream that is a picture for the file's icon
# Tags that speak of the file, not of what it shows.
_OF_THE_FILE = re.compile(
    "encoder|software|major_brand|minor_version|compatible_brands|duration|handler_name|vendor_id|"
    "bps|number_of_.*|_statistics_.*|source_id"
)


class Frame(NamedTuple):
    """A frame: uint8 or uint16 `[H, W, 3]`, RGB, and its time and duration in ticks."""

    image: np.ndarray
    pts: int
    duration: int


class Video:
    """A video file, read from its beginning once.

    Args:
      path: of the file.
      max_megapixels: files with larger frames are refused before memory is taken for one; a larger
        frame among others counts as damage.

    Attributes:
      stream: the moving picture, as PyAV gives it.
      others: the sounds and subtitles, whose packets `contents` gives too.
      chapters: as PyAV gives them; none before its version 16.
      time_base: the length of a tick in seconds.
      rate: frames per second on average; 0 where the file does not tell.
      expected: about how many frames there are; 0 where the file does not tell.
      matrix, color_range: of YCbCr, as H.273 and FFmpeg count; known once there is a frame.
      aspect_ratio: of a pixel of the upright frame; known once there is a frame.
      inventory: what the file holds and how much of it; of frames, what was read so far.
      damage: after reading, what was wrong with the file; empty when it was whole.

    Raises:
      InputError: the file is missing, no video that is read here, has no picture or too large a
        one.
    """

    def __init__(self, path: str | os.PathLike, max_megapixels: float = MAX_MEGAPIXELS):
        check_regular(path)
        self.path = path
        self._file = open(path, "rb")  # noqa: SIM115 (`close`)
        self.damage, self.inventory = check_structure(self._file)
        self._file.seek(0)
        try:
            self._container = av.open(
                self._file,
                container_options={"format_whitelist": DEMUXERS, "protocol_whitelist": "none"},
                metadata_errors="replace",
            )
            self.stream = _moving_picture(self._container, max_megapixels)
        # What FFmpeg does not understand ends in one of many exceptions.
        except Exception as error:
            self._file.close()
            text = self.damage or reason(error)
            if not self.damage and getattr(error, "errno", None) in _NOT_UNDERSTOOD:
                text = f"it is damaged, or none of the kinds read here ({DEMUXERS})"
            raise InputError(f"{path} is no readable video: {text}") from None
        self.stream.codec_context.options = {"max_pixels": f"{1e6 * max_megapixels:.0f}"}
        self.stream.thread_type = "AUTO"
        self.time_base = Fraction(self.stream.time_base or Fraction(1, 1000))
        self.rate = Fraction(self.stream.average_rate or 0)
        seconds = Fraction(self._container.duration or 0, av.time_base)
        counts = (self.stream.frames, round(seconds * self.rate))  # trimmed ones count in the first
        self.expected = min(filter(None, counts), default=0)
        self.metadata = dict(self._container.metadata)
        streams = self._container.streams
        self.others = [*streams.audio, *streams.subtitles]
        self.chapters = self._container.chapters() if hasattr(self._container, "chapters") else []
        self.inventory += self._inventory()
        # A broadcast is cut out of a stream: its clock begins anywhere, and its first frames may
        # refer to earlier ones.
        self._is_broadcast = bool(self._container.format.flags & av.format.Flags.ts_discont.value)
        start = self._container.start_time if self._is_broadcast else 0
        self._start = Fraction(start or 0, av.time_base)
        self._errors, self._number = 0, 0
        self._last: Frame | None = None
        self._delay: int | None = None
        self._size = ""

    def close(self) -> None:
        """Frees the file."""
        self._container.close()
        self._file.close()

    def contents(self, *, start: int = 0, with_others: bool = False) -> Iterator[Frame | av.Packet]:
        """All frames, and between them the packets of `others`, in the order of the file.

        The first `start` frames are decoded, as nothing else tells how many they are, but neither
        made into arrays nor given.
        """
        try:
            for packet in self._container.demux(self.stream, *(self.others if with_others else [])):
                # The packets that end a stream have the `stream_index` 0 in PyAV 15.
                if packet.stream.index == self.stream.index:
                    yield from self._frames(packet, start)
                elif packet.dts is not None:
                    shift = round(self._start / packet.time_base)
                    packet.dts -= shift
                    packet.pts = packet.dts if packet.pts is None else packet.pts - shift
                    yield packet
        except av.error.EOFError:
            pass
        except (av.error.FFmpegError, ValueError):
            self._errors += 1
        if self._errors and not self.damage:
            self.damage = "it is damaged"

    def _frames(self, packet: av.Packet, start: int) -> Iterator[Frame]:
        try:
            frames, is_wrong = packet.decode(), packet.is_corrupt
        except (av.error.FFmpegError, ValueError):
            frames, is_wrong = [], True
        is_wrong |= any(frame.is_corrupt for frame in frames)
        self._errors += is_wrong and (self._number > 0 or not self._is_broadcast)
        for frame in frames:
            pts, last = self._time(frame), self._last
            if last and (pts is None or pts <= last.pts):
                pts = last.pts + last.duration
            image = self._image(frame) if self._number >= start else None
            tick = round(1 / (self.rate * self.time_base)) if self.rate else 1
            self._last = Frame(image, pts or 0, frame.duration or max(tick, 1))
            self._number += 1
            if image is not None:
                yield self._last

    def _time(self, frame: av.VideoFrame) -> int | None:
        pts = frame.pts
        if self._container.format.name == "avi":
            # It stores no times: FFmpeg guesses those of frames that refer to later ones, but those
            # of decoding are in order.
            if self._delay is None:
                self._delay = (pts or 0) - (frame.dts or 0)
            pts = None if frame.dts is None else frame.dts + self._delay
        return None if pts is None else pts - round(self._start / self.time_base)

    def _inventory(self) -> collections.Counter[str]:
        found = collections.Counter(chapters=len(self.chapters))
        for stream in self._container.streams:
            is_of_chapters = self.chapters and _name(stream) == "bin_data"
            if stream.index == self.stream.index or is_of_chapters:
                continue  # MP4 has the titles of its chapters in a stream of such data
            kind = type(stream).__name__.replace("Stream", " stream").lower()
            kind = "cover" if stream.disposition.value & _COVER else kind
            label = stream.metadata.get("handler_name") if kind == "data stream" else None
            found[f"{kind} ({label or _name(stream)})"] += 1
        for kept in (self._container, self.stream, *self.others):
            found |= collections.Counter(f"tag {name}" for name in tags_of(kept.metadata))
        return +found

    def _image(self, frame: av.VideoFrame) -> np.ndarray:
        """The upright picture; what the frame holds is added to the inventory."""
        side_data = {str(each.type).rpartition(".")[2]: bytes(each) for each in frame.side_data}
        is_turned, down, right = _turn(side_data)
        ratio = self.stream.sample_aspect_ratio or Fraction(1)
        self.aspect_ratio = 1 / ratio if is_turned else ratio
        self.inventory |= self._inventory_of(frame, side_data)
        image = frame.reformat(
            format="rgb48le" if _bits(frame) > 8 else "rgb24",
            interpolation=EXACT,
            **self._colours(frame),
        ).to_ndarray()
        image = image.swapaxes(0, 1) if is_turned else image
        return np.ascontiguousarray(image[::down, ::right])

    def _inventory_of(
        self, frame: av.VideoFrame, side_data: dict[str, bytes]
    ) -> collections.Counter[str]:
        # Except for what x264 and x265 say of themselves.
        names = [name for name, content in side_data.items() if b"options: " not in content]
        found = collections.Counter(name.replace("_", " ").lower() for name in names)
        found["bits per sample"] = _bits(frame)
        found["interlaced fields"] = frame.interlaced_frame
        size = f"{frame.width}x{frame.height}"
        self._size = self._size or size
        found[f"frames of another size ({size})"] = size != self._size
        parts = frame.format.components
        if len(parts) >= 3:
            width, height = frame.format.chroma_width(64), frame.format.chroma_height(64)
            found["chroma samples in 2x2 pixels"] = (width // 32) * (height // 32)
        if any(part.is_alpha for part in parts):
            alpha = frame.reformat(format="rgba").to_ndarray()[..., 3]
            found["alpha channel"] = alpha.min() < 255  # that of a GIF is often unused
        found[f"pixel aspect ratio {self.aspect_ratio}"] = self.aspect_ratio != 1
        for field in ("color_primaries", "color_trc"):
            value = getattr(self.stream.codec_context, field)
            found[f"{field} {value}"] = value not in (0, _UNSPECIFIED)
        return +found

    def _colours(self, frame: av.VideoFrame) -> dict[str, int]:
        """How to convert them; where a file does not tell, what players assume."""
        self.color_range = int(frame.color_range) or LIMITED_RANGE
        if frame.format.name.startswith("yuvj"):
            self.color_range = FULL_RANGE
        self.matrix = int(frame.colorspace)
        is_rgb = frame.format.is_rgb or frame.format.has_palette
        if is_rgb or self.matrix == _UNSPECIFIED:
            self.matrix = BT709 if frame.height >= 720 else BT601
        if is_rgb:
            self.color_range = LIMITED_RANGE
            return {}
        if self.matrix not in _MATRICES:
            raise InputError(f"{self.path}: colours of matrix {self.matrix} (H.273) are not read")
        return {
            "src_colorspace": self.matrix,
            "dst_colorspace": self.matrix,
            "src_color_range": self.color_range,
            # RGB has no range; but where both are the same, PyAV 15 takes neither colour space.
            "dst_color_range": FULL_RANGE + LIMITED_RANGE - self.color_range,
        }


def _moving_picture(
    container: av.container.InputContainer, max_megapixels: float
) -> av.video.stream.VideoStream:
    """The first stream of moving pictures; ValueError says why there is none to be read."""
    pictures = [s for s in container.streams.video if not s.disposition.value & _COVER]
    if not pictures:
        raise ValueError("it has no moving picture")
    if pictures[0].codec_context is None:
        raise ValueError("its codec is not known here")
    megapixels = pictures[0].width * pictures[0].height / 1e6
    if not 0 < megapixels <= max_megapixels:
        raise ValueError(
            f"it has frames of {megapixels:.1f} megapixels; the limit is {max_megapixels:g}, a "
            "quarter of --max_megapixels"
        )
    return pictures[0]


def _bits(frame: av.VideoFrame) -> int:
    return max(part.bits for part in frame.format.components)


def _turn(side_data: dict[str, bytes]) -> tuple[bool, int, int]:
    """Whether rows become columns, and then the steps down and right that make a frame upright.

    The display matrix, x' = ax + cy and y' = bx + dy, is taken out unless it turns by no right
    angle: such frames stay as they are stored.
    """
    matrix = np.frombuffer(side_data.get("DISPLAYMATRIX", b""), np.int32)
    a, b, _, c, d = np.sign(matrix[:5]) if matrix.size else (0, 0, 0, 0, 0)
    is_straight, is_turned = a and d and not (b or c), b and c and not (a or d)
    if not is_straight and not is_turned:
        return False, 1, 1
    del side_data["DISPLAYMATRIX"]
    return (True, b, c) if is_turned else (False, d, a)


def tags_of(metadata: dict[str, str]) -> set[str]:
    """The names of what it says of the content, in lower case, without languages."""
    names = {key.lower().partition("-")[0] for key, value in metadata.items() if value != "und"}
    return {name for name in names if not _OF_THE_FILE.fullmatch(name)}


def _name(stream: av.stream.Stream) -> str:
    if stream.codec_context:  # MP4 tells MP2 from MP3 by no name
        return stream.codec_context.codec.canonical_name.replace("mp2", "mp3")
    return getattr(stream, "name", None) or "unknown"
