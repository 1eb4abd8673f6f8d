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
# Old recorders name no layout of their channels, which MP4 must know; FFmpeg's own guesses.
_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


class VideoWriter:
    """Encodes frames into a file, which is whole after `close`.

    Args:
      path: of the file; its suffix picks the container (see `CONTAINERS`).
      codec: of the frames.
      crf: constant rate factor; None takes the codec's default.
      source: whose times, colours, pixel aspect ratio and other streams are taken over.
      with_others: copy the sound, subtitles and chapters of `source`.
      with_metadata: copy its title, date and place.

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
        self.count, self.notes = 0, []
        self._muxer = CONTAINERS[Path(path).suffix.lower()].muxer
        # A phone's own names of place, camera and date; without them the common names do.
        is_named = with_metadata and any(key.lower().startswith("com.") for key in source.metadata)
        options = {"movflags": "use_metadata_tags"} if is_named else {}
        self._container = av.open(os.path.abspath(path), "w", format=self._muxer, options=options)
        crf = codec.crf if crf is None else crf
        self._stream = self._container.add_stream(
            codec.encoder,
            rate=(source.rate or Fraction(30)).limit_denominator(60000),
            options=codec.options if crf is None else {**codec.options, "crf": str(crf)},
        )
        self._shape: tuple[int, ...] = ()
        self._waiting: list[av.Packet] = []
        self._last_dts: dict[int, int] = {}
        if with_others and source.chapters:
            self._container.set_chapters(source.chapters)
        if with_metadata:
            _copy_tags(source.metadata, self._container.metadata)
            _copy_tags(source.stream.metadata, self._stream.metadata)
        others = source.others if with_others else []
        self._copies = {s.index: _copy(s, self._container) for s in others if self._holds(s)}

    def write(self, item: Frame | av.Packet) -> None:
        """Encodes a frame, or copies a packet of the source's sound or subtitles."""
        if isinstance(item, Frame):
            self._encode(item)
        elif self._shape:
            self._copy_packet(item)
        elif item.stream_index in self._copies:
            self._waiting.append(item)  # the first frame tells what the header says

    def close(self) -> None:
        """Writes what the encoder still holds and the end of the file."""
        if self._shape:
            self._container.mux(self._stream.encode(None))
        self._container.close()

    def abandon(self) -> None:
        """Frees the file, whatever state it is in."""
        with contextlib.suppress(av.error.FFmpegError, ValueError, OSError):
            self._container.close()

    def _begin(self, image: np.ndarray) -> None:
        is_deep, codec, source = image.dtype == np.uint16, self._codec, self._source
        height, width = (size + (codec.is_even and size % 2) for size in image.shape[:2])
        if (height, width) != image.shape[:2]:
            self._note(f"H.264 needs even sizes: padded to {width}x{height} by repeating the edge")
        made, given = self._stream.codec_context, source.stream.codec_context
        made.width, made.height = width, height
        made.pix_fmt = (codec.deep_pixels if is_deep else None) or codec.pixels
        made.time_base = self._stream.time_base = source.time_base
        made.sample_aspect_ratio = source.aspect_ratio
        # The primaries and the curve of old recordings are nobody's guess, the others' are.
        guess = BT709 if source.matrix == BT709 else _UNSPECIFIED
        for field in ("color_primaries", "color_trc"):
            value = getattr(given, field)
            setattr(made, field, guess if value == _UNSPECIFIED else value)
        if made.pix_fmt.startswith("yuv"):
            made.colorspace, made.color_range = source.matrix, source.color_range
        self._shape = image.shape
        for packet in self._waiting:
            self._copy_packet(packet)

    def _encode(self, item: Frame) -> None:
        if not self._shape:
            self._begin(item.image)
        made = self._stream.codec_context
        padding = [(0, self._codec.is_even and size % 2) for size in item.image.shape[:2]]
        image = np.pad(item.image, [*padding, (0, 0)], "edge") if np.any(padding) else item.image
        frame = av.VideoFrame.from_ndarray(
            np.ascontiguousarray(image), format="rgb24" if image.dtype == np.uint8 else "rgb48le"
        )
        size = {"format": made.pix_fmt, "width": made.width, "height": made.height}
        if made.pix_fmt.startswith("yuv"):
            matrix, color_range = self._source.matrix, self._source.color_range
            frame = frame.reformat(
                **size, dst_colorspace=matrix, dst_color_range=color_range, interpolation=EXACT
            )
            frame.colorspace, frame.color_range = made.colorspace, made.color_range
        else:
            frame = frame.reformat(**size)
        frame.pts, frame.time_base, frame.duration = item.pts, self._source.time_base, item.duration
        self._container.mux(self._stream.encode(frame))
        self.count += 1

    def _copy_packet(self, packet: av.Packet) -> None:
        index, stream = packet.stream_index, packet.stream
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
        try:
            with av.open(io.BytesIO(), "w", format=self._muxer) as trial:
                _copy(stream, trial)
                trial.start_encoding()
        except (ValueError, av.error.FFmpegError):
            return False
        return True


def _copy(stream: av.stream.Stream, container: av.container.OutputContainer) -> av.stream.Stream:
    copy = container.add_stream_from_template(stream)
    if stream.type == "audio" and stream.codec_context.layout.name.endswith(" channels"):
        layout = _LAYOUTS.get(stream.codec_context.layout.nb_channels)
        copy.codec_context.layout = layout or stream.codec_context.layout
    copy.disposition = stream.disposition.value
    _copy_tags(stream.metadata, copy.metadata)
    return copy


def _copy_tags(source: dict[str, str], target: dict[str, str]) -> None:
    target.update({key: value for key, value in source.items() if tags_of({key: value})})


def count_frames(path: str | os.PathLike) -> int:
    """How many packets of pictures a finished video has."""
    with av.open(os.path.abspath(path)) as container:
        return sum(packet.size > 0 for packet in container.demux(video=0))
