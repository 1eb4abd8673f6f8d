"""Reading a video: every frame upright, in RGB, with its presentation time; the sound as it is.

FFmpeg's libraries are handed an open file and nothing else: a playlist that calls itself a video
opens no other file.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import av
import numpy as np

from srn_tf.common.errors import InputError
from srn_tf.common.files import check_regular, reason
from srn_tf.media.containers import DEMUXERS, is_cut_off
from srn_tf.media.metadata import upright

MAX_MEGAPIXELS = 100.0
_FULL_RANGE, _LIMITED_RANGE = 2, 1
_OF_HDR = ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL")
_COVER = 1 << 10  # disposition of a stream that is a picture for the file's icon
# The signs of a, b, c, d in a display matrix, where x' = ax + cy and y' = bx + dy; as EXIF counts.
_TURNS = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}


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
      time_base: the length of a tick in seconds.
      rate: frames per second on average; 0 where the file does not tell.
      expected: about how many frames there are; 0 where the file does not tell.
      others: the further streams, whose packets `contents` gives too.
      chapters: as PyAV gives them; none before its version 16.
      damage: after reading, what was wrong with the file; empty when it was whole.
      bits: of a sample; known once there is a frame.
      is_turned: whether frames were turned by 90 degrees; known once there is one.
      notes: what the frames do not show, for the user to read.

    Raises:
      InputError: the file is missing, no video that is read here, has no picture or too large a
        one.
    """

    def __init__(self, path: str | os.PathLike, max_megapixels: float = MAX_MEGAPIXELS):
        check_regular(path)
        self._file = open(path, "rb")  # noqa: SIM115 (`close`)
        limit = {"max_pixels": f"{1e6 * max_megapixels:.0f}"}
        try:
            self._container = av.open(
                self._file,
                options={"format_whitelist": DEMUXERS, "protocol_whitelist": "none", **limit},
                metadata_errors="replace",
            )
            pictures = (
                s for s in self._container.streams.video if not s.disposition.value & _COVER
            )
            self.stream = next(pictures)
            if self.stream.codec_context is None:
                raise ValueError("its codec is not known here")
        # What FFmpeg does not understand ends in one of many exceptions.
        except Exception as error:
            self._file.close()
            text = "it has no picture" if isinstance(error, StopIteration) else reason(error)
            if getattr(error, "errno", None) == errno.EINVAL:  # the whitelist's answer
                text = "it is none of MP4, QuickTime, Matroska, WebM and AVI"
            raise InputError(f"{path} is no readable video: {text}") from None
        megapixels = self.stream.width * self.stream.height / 1e6
        if not 0 < megapixels <= max_megapixels:  # 0: FFmpeg obeyed the limit already
            self.close()
            raise InputError(
                f"{path} has frames of more than {max_megapixels:g} megapixels, or of none; the "
                "limit of deblur is a quarter of its --max_megapixels"
            )
        self.stream.codec_context.options = limit
        self.stream.thread_type = "AUTO"
        self.path = path
        self.time_base = Fraction(self.stream.time_base or Fraction(1, 1000))
        self.rate = Fraction(self.stream.average_rate or 0)
        self.expected = self._expected()
        self.metadata = dict(self._container.metadata)
        self.others = [
            stream
            for stream in self._container.streams
            if stream.index != self.stream.index and stream.type in ("audio", "subtitle")
        ]
        known = getattr(self._container, "chapters", None)
        self.chapters = known() if known else []
        self.damage, self.bits, self.is_turned = "", 8, False
        self.notes: list[str] = []
        lost = [stream.type for stream in self._container.streams]
        lost = [kind for kind in lost if kind not in ("audio", "subtitle")]
        if len(lost) > 1:
            lost.remove("video")
            self.notes.append(f"streams that are left out: {', '.join(map(str, lost))}")

    def close(self) -> None:
        """Frees the file."""
        self._container.close()
        self._file.close()

    def contents(self, *, start: int = 0, with_others: bool = False) -> Iterator[Frame | av.Packet]:
        """All frames, and between them the packets of `others`, in the order of the file.

        The first `start` frames are decoded, as nothing else tells how many they are, but neither
        made into arrays nor given.
        """
        with open(self.path, "rb") as file:
            cut_off = is_cut_off(file)
        errors, number, last, shift = 0, 0, None, 0
        is_avi = self._container.format.name == "avi"
        has_alpha = self.stream.metadata.get("alpha_mode") == "1"  # of WebM, in a layer of its own
        streams = [self.stream, *(self.others if with_others else [])]
        packets = self._container.demux(*streams)
        while True:
            try:
                packet = next(packets)
                if packet.stream_index != self.stream.index:
                    if packet.dts is not None:
                        yield packet
                    continue
                errors += packet.is_corrupt
                frames = packet.decode()
            except StopIteration:
                break
            except av.error.EOFError:
                break
            except (av.error.FFmpegError, ValueError) as error:
                errors += 1
                if isinstance(error, av.error.MemoryError) or errors > 1000:
                    break
                continue
            for frame in frames:
                errors += frame.is_corrupt
                if frame.interlaced_frame:
                    self._note("it is interlaced: two fields are deblurred as one whole frame")
                if has_alpha or any(component.is_alpha for component in frame.format.components):
                    self._note("its alpha channel is left out")
                pts = frame.pts
                if is_avi:
                    # It stores no times: those of frames that refer to later ones are guessed, but
                    # those of decoding are in order.
                    if last is None:
                        shift = (pts or 0) - (frame.dts or 0)
                    pts = None if frame.dts is None else frame.dts + shift
                if last and (pts is None or pts <= last.pts):
                    pts = last.pts + last.duration
                if number > start:  # containers know how long a frame is shown by the next one
                    yield last._replace(duration=pts - last.pts)
                image = self._picture(frame) if number >= start else None
                last = Frame(image, pts or 0, frame.duration or self._tick())
                number += 1
        if number > start:
            yield last
        if cut_off:
            self.damage = "it ends early (truncated?)"
        elif errors:
            self.damage = "it is damaged"

    def _note(self, note: str) -> None:
        self.notes += [] if note in self.notes else [note]

    def _expected(self) -> int:
        if self.stream.frames:
            return self.stream.frames
        if self._container.duration and self.rate:
            return round(self._container.duration / av.time_base * self.rate)
        return 0

    def _tick(self) -> int:
        return max(round(1 / (self.rate * self.time_base)), 1) if self.rate else 1

    def _picture(self, frame: av.VideoFrame) -> np.ndarray:
        self.bits = max(component.bits for component in frame.format.components)
        deep = self.bits > 8
        if any(str(data.type).endswith(_OF_HDR) for data in frame.side_data):
            self._note("what it says of the display it was mastered on (HDR) is left out")
        image = frame.reformat(
            format="rgb48le" if deep else "rgb24",
            src_colorspace=int(frame.colorspace),
            dst_colorspace=int(frame.colorspace),
            src_color_range=color_range(frame),
            # RGB has no range; but where both are the same, PyAV 15 takes neither colour space.
            dst_color_range=_FULL_RANGE + _LIMITED_RANGE - color_range(frame),
        ).to_ndarray()
        orientation = self._orientation(frame)
        self.is_turned = orientation >= 5
        return upright(image, orientation)

    def _orientation(self, frame: av.VideoFrame) -> int:
        for data in frame.side_data:
            if "DISPLAYMATRIX" in str(data.type):
                matrix = np.frombuffer(bytes(data), np.int32)
                signs = tuple(int(np.sign(matrix[i])) for i in (0, 1, 3, 4))
                if signs not in _TURNS:
                    self._note("it is turned by no right angle: its frames stay as stored")
                return _TURNS.get(signs, 1)
        return 1


def color_range(frame: av.VideoFrame) -> int:
    """The range of luma, which some formats have in their name and otherwise is limited."""
    if frame.format.name.startswith("yuvj"):
        return _FULL_RANGE
    return int(frame.color_range) or _LIMITED_RANGE
