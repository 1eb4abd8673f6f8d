"""Writing a video: frames at their own times, the sound of another file copied beside them."""

from __future__ import annotations

import contextlib
import io
import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from srn_tf.media.containers import CONTAINERS, Codec
from srn_tf.media.video_reading import BT709, EXACT, Frame, Video, tags_of

_UNSPECIFIED = 2  # primaries and transfer, as H.273 counts them


class VideoWriter:
    """Encodes frames into a file, which is whole after `finish`.

    Args:
      path: of the file; its suffix picks the container (see `CONTAINERS`).
      codec: of the frames.
      crf: constant rate factor; None takes the codec's default.
      source: whose times, colours, pixel aspect ratio and other streams are taken over.
      with_others: copy the sound, subtitles and chapters of `source`, and their languages.
      with_metadata: copy its title, date, place and other tags.

    Attributes:
      count: frames written.
      notes: what could not be written as it is, for the user to read.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        codec: Codec,
        crf: int | None,
        source: Video,
        *,
        with_others: bool,
        with_metadata: bool,
    ):
        self._source, self._codec = source, codec
        self.count = 0
        self.notes: list[str] = []
        self._muxer = CONTAINERS[Path(path).suffix.lower()].muxer
        # A phone has its own names of place, camera and date; otherwise the common names do.
        has_own = with_metadata and any(key.lower().startswith("com.") for key in source.metadata)
        is_mp4 = self._muxer in ("mp4", "mov")
        options = {"movflags": "use_metadata_tags"} if has_own and is_mp4 else {}
        self._container = av.open(os.path.abspath(path), "w", format=self._muxer, options=options)
        crf = codec.crf if crf is None else crf
        self._stream = self._container.add_stream(
            codec.encoder,
            rate=(source.rate or Fraction(30)).limit_denominator(60000),
            options=codec.options if crf is None else {**codec.options, "crf": str(crf)},
        )
        self._has_begun = False
        self._waiting: list[av.Packet] = []
        self._last_dts: dict[int, int] = {}
        if with_metadata:
            _copy_tags(source, self._container)
        self._copies: dict[int, av.stream.Stream] = {}
        if with_others:
            if source.chapters:
                self._container.set_chapters(source.chapters)
            for stream in filter(self._holds, source.others):
                self._copies[stream.index] = copy = _add_copy(self._container, stream)
                _copy_tags(stream, copy, None if with_metadata else "language")
            _copy_tags(source.stream, self._stream, None if with_metadata else "language")

    def write(self, item: Frame | av.Packet) -> None:
        """Encodes a frame, or copies a packet of the source's sound or subtitles."""
        if isinstance(item, Frame):
            self._encode(item)
        elif self._has_begun:
            self._copy_packet(item)
        elif item.stream.index in self._copies:
            self._waiting.append(item)  # the first frame tells what the header says

    def finish(self) -> None:
        """Writes what the encoder still holds and the end of the file."""
        if self._has_begun:
            self._container.mux(self._stream.encode(None))
        self._container.close()

    def close(self) -> None:
        """Frees the file, whatever state it is in."""
        with contextlib.suppress(av.error.FFmpegError, ValueError, OSError):
            self._container.close()

    def _begin(self, image: np.ndarray) -> None:
        codec, source, made = self._codec, self._source, self._stream.codec_context
        made.height, made.width = (size + (codec.is_even and size % 2) for size in image.shape[:2])
        if (made.height, made.width) != image.shape[:2]:
            self._note(f"padded to {made.width}x{made.height}: H.264 has even sizes only")
        is_deep = image.dtype == np.uint16
        made.pix_fmt = (codec.deep_pixels if is_deep else None) or codec.pixels
        made.time_base = self._stream.time_base = source.time_base
        made.sample_aspect_ratio = source.aspect_ratio
        # Without tags, all of HD is BT.709; of older recordings nobody knows it.
        guess = BT709 if source.matrix == BT709 else _UNSPECIFIED
        for field in ("color_primaries", "color_trc"):
            value = getattr(source.stream.codec_context, field)
            setattr(made, field, guess if value == _UNSPECIFIED else value)
        if made.pix_fmt.startswith("yuv"):
            made.colorspace, made.color_range = source.matrix, source.color_range
        self._has_begun = True
        for packet in self._waiting:
            self._copy_packet(packet)

    def _encode(self, item: Frame) -> None:
        if not self._has_begun:
            self._begin(item.image)
        made, image = self._stream.codec_context, item.image
        if self._codec.is_even and (image.shape[0] % 2 or image.shape[1] % 2):
            rest = [(0, size % 2) for size in image.shape]
            image = np.pad(image, [*rest[:2], (0, 0)], "edge")
        frame = av.VideoFrame.from_ndarray(
            np.ascontiguousarray(image), "rgb24" if image.dtype == np.uint8 else "rgb48le"
        )
        is_yuv = made.pix_fmt.startswith("yuv")
        colours = {"dst_colorspace": made.colorspace, "dst_color_range": made.color_range}
        frame = frame.reformat(
            made.width,
            made.height,
            made.pix_fmt,
            interpolation=EXACT,
            **(colours if is_yuv else {}),
        )
        if is_yuv:
            frame.colorspace, frame.color_range = made.colorspace, made.color_range
        frame.pts, frame.time_base, frame.duration = item.pts, self._source.time_base, item.duration
        self._container.mux(self._stream.encode(frame))
        self.count += 1

    def _copy_packet(self, packet: av.Packet) -> None:
        stream, index = packet.stream, packet.stream.index
        # What was trimmed off a clip is before its beginning: only MP4's edit lists can hide it.
        is_trimmed = packet.pts + (packet.duration or 0) < 0 and self._muxer not in ("mp4", "mov")
        if index not in self._copies or is_trimmed:
            return
        if packet.dts <= self._last_dts.get(index, packet.dts - 1):  # most containers take no two
            packet.dts = self._last_dts[index] + 1
            packet.pts = max(packet.pts, packet.dts)
        self._last_dts[index] = packet.dts
        packet.stream = self._copies[index]
        try:
            self._container.mux(packet)
        except ValueError:  # what FFmpeg raises for content; that of a full disk is an OSError
            self._note(f"{self._muxer} does not take all of its {stream.type}: parts are left out")

    def _note(self, note: str) -> None:
        self.notes += [] if note in self.notes else [note]

    def _holds(self, stream: av.stream.Stream) -> bool:
        """Whether the container holds such a stream, which only its header tells."""
        if stream.codec_context is None:
            return False
        try:
            with av.open(io.BytesIO(), "w", format=self._muxer) as trial:
                _add_copy(trial, stream)
                trial.start_encoding()
        except (ValueError, av.error.FFmpegError):
            return False
        return True


def _add_copy(
    container: av.container.OutputContainer, stream: av.stream.Stream
) -> av.stream.Stream:
    copy = container.add_stream_from_template(stream)
    copy.disposition = stream.disposition.value
    if stream.type == "audio" and stream.codec_context.layout.name.endswith(" channels"):
        # Old recorders name no layout, which MP4 must know: this is FFmpeg's own guess.
        copy.codec_context.layout = f"{stream.codec_context.layout.nb_channels}c"
    return copy


def _copy_tags(
    old: Video | av.stream.Stream,
    new: av.container.OutputContainer | av.stream.Stream,
    only: str | None = None,
) -> None:
    tags = {tag: value for tag, value in old.metadata.items() if tags_of({tag: value})}
    new.metadata.update({tag: tags[tag] for tag in tags if only in (None, tag)})


def count_frames(path: str | os.PathLike) -> int:
    """How many packets of pictures a finished video has."""
    with av.open(os.path.abspath(path)) as container:
        return sum(packet.size > 0 for packet in container.demux(video=0))
