"""Writing a video: frames at their own times, the sound of another file copied beside them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from fractions import Fraction
from typing import BinaryIO

import av
import numpy as np

from srn_tf.common.errors import InputError
from srn_tf.media.containers import Codec, Container
from srn_tf.media.video_copies import Copies
from srn_tf.media.video_reading import Frame, Video

_FULL_RANGE, _LIMITED_RANGE = 2, 1
_UNSPECIFIED, _BT601 = 2, 5  # matrices of YCbCr, as FFmpeg counts
_LIKE_BT709 = (1, 2, 5, 6)  # primaries and curves that a player without word of them assumes
_ABOUT_THE_FILE = ("encoder", "major_brand", "minor_version", "compatible_brands", "duration")


class VideoWriter:
    """Encodes frames into an open file; to be closed, or the file is no video.

    Args:
      file: to write into; seekable.
      container: its kind.
      codec: of the frames.
      crf: constant rate factor; None takes the codec's default.
      source: whose times, colours, pixel aspect ratio and other streams are taken over.
      with_others: copy the sound, subtitles and chapters of `source`.
      with_metadata: copy its title, date and place.

    Attributes:
      count: frames written.
      notes: what the file cannot hold, for the user to read.
    """

    def __init__(
        self,
        file: BinaryIO,
        container: Container,
        codec: Codec,
        crf: int | None,
        source: Video,
        *,
        with_others: bool,
        with_metadata: bool,
    ):
        self._source, self._codec = source, codec
        self._crf = codec.crf if crf is None else crf
        metadata = {k: v for k, v in source.metadata.items() if k not in _ABOUT_THE_FILE}
        # A phone's own names of place, camera and date; without them the common names do.
        named = with_metadata and any(key.lower().startswith("com.") for key in metadata)
        options = {"movflags": "use_metadata_tags"} if named and container.is_mp4 else {}
        self._container = av.open(_Output(file), "w", format=container.muxer, options=options)
        self._kind, self._muxer = container, container.muxer
        self._is_avi = self._muxer == "avi"
        self._stream = None
        self._durations: dict[int, int] = {}
        self._last_pts: int | None = None
        self._copies: Copies | None = None
        self._waiting: list[av.Packet] = []
        self.count, self.notes = 0, []
        self._time_base = source.time_base
        if self._is_avi and source.rate:  # times there are numbers of frames
            self._time_base = 1 / source.rate
        if with_others and source.chapters:
            self._container.set_chapters(source.chapters)
        if with_metadata:
            self._container.metadata.update(metadata)
        self._with_others = with_others

    def write(self, item: Frame | av.Packet) -> None:
        """Encodes a frame, or copies a packet of the source's sound or subtitles.

        Raises:
          InputError: the container cannot hold the time of this frame.
        """
        if isinstance(item, av.Packet):
            if self._copies is None:  # the first frame tells what the header says
                self._waiting.append(item)
            else:
                self._copies.write(item)
            return
        if self._stream is None:
            self._open(item.image)
            for packet in self._waiting:
                self.write(packet)
        self._encode(item)
        self.count += 1

    def close(self) -> None:
        """Writes what the encoder still holds and the end of the file."""
        if self._stream is not None:
            self._mux(self._stream.encode(None))
            self.notes += self._copies.notes
        self._container.close()

    def abandon(self) -> None:
        """Frees the file, whatever state it is in; PyAV must not outlive it."""
        with contextlib.suppress(av.error.FFmpegError, ValueError, OSError):
            self._container.close()

    def _open(self, image: np.ndarray) -> None:
        height, width = image.shape[:2]
        odd, deep = height % 2 or width % 2, image.dtype == np.uint16
        codec = self._codec
        pixels = codec.odd_pixels if odd else codec.pixels
        if deep:
            pixels = (codec.odd_deep_pixels if odd else codec.deep_pixels) or pixels
        bits = av.VideoFormat(pixels).components[0].bits
        if bits < self._source.bits:
            self.notes.append(f"{codec.encoder} holds {bits} bits here: further bits are left out")
        options = dict(codec.options)
        if self._crf is not None:
            options["crf"] = str(self._crf)
        rate = self._source.rate or Fraction(30)
        stream = self._container.add_stream(
            codec.encoder, rate=rate.limit_denominator(60000), options=options
        )
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        stream.time_base = stream.codec_context.time_base = self._time_base
        given, made = self._source.stream.codec_context, stream.codec_context
        self._is_rgb = not pixels.startswith("yuv")
        self._range = int(given.color_range) or _LIMITED_RANGE
        if pixels.startswith("yuvj"):
            self._range = _FULL_RANGE
        if not self._is_rgb:
            made.color_range, made.colorspace = self._range, self._space()
        made.color_primaries, made.color_trc = given.color_primaries, given.color_trc
        if self._is_avi and not {given.color_primaries, given.color_trc} <= set(_LIKE_BT709):
            self.notes.append("avi holds no word of wide or HDR colours: they will look different")
        ratio = self._source.stream.sample_aspect_ratio
        if ratio:
            made.sample_aspect_ratio = ratio = 1 / ratio if self._source.is_turned else ratio
            if ratio != 1 and not self._holds_ratio():
                self.notes.append(
                    f"{self._muxer} holds no pixel aspect ratio here: {ratio} is left out"
                )
        self._pixels, self._stream, self._shape = pixels, stream, image.shape
        others = self._source.others if self._with_others else []
        self._copies = Copies(self._container, self._kind, others)

    def _space(self) -> int:
        if self._codec.encoder == "mjpeg":  # which has no other, as JPEG has none
            return _BT601
        space = int(self._source.stream.codec_context.colorspace)
        return space or _UNSPECIFIED  # the source may be RGB itself

    def _holds_ratio(self) -> bool:
        # Matroska and AVI would hold it themselves, but PyAV has no way to tell them.
        return self._kind.is_mp4 or self._codec.encoder in ("libx264", "mjpeg")

    def _encode(self, item: Frame) -> None:
        deep = item.image.dtype == np.uint16
        frame = av.VideoFrame.from_ndarray(
            np.ascontiguousarray(item.image), format="rgb48le" if deep else "rgb24"
        )
        if self._is_rgb:
            frame = frame.reformat(format=self._pixels)
        else:
            frame = frame.reformat(
                format=self._pixels, dst_colorspace=self._space(), dst_color_range=self._range
            )
            frame.colorspace, frame.color_range = self._space(), self._range
        if item.image.shape != self._shape:
            note = "its frames change their size: all are scaled to that of the first"
            self.notes += [] if note in self.notes else [note]
        scale = self._source.time_base / self._time_base
        frame.pts, frame.time_base = round(item.pts * scale), self._time_base
        if self._last_pts is not None and frame.pts <= self._last_pts:
            raise InputError(f"{self._muxer} holds constant frame rates only: write .mkv or .mp4")
        self._last_pts = frame.pts
        self._durations[frame.pts] = frame.duration = max(round(item.duration * scale), 1)
        self._mux(self._stream.encode(frame))

    def _mux(self, packets: list[av.Packet]) -> None:
        for packet in packets:
            # Encoders that look ahead forget how long a frame is shown.
            packet.duration = self._durations.pop(packet.pts, packet.duration)
            self._container.mux(packet)


class _Output:
    """An open file that raises once: of each error after the first PyAV prints a traceback."""

    def __init__(self, file: BinaryIO):
        self._file, self.tell = file, file.tell
        self._has_failed = False

    def write(self, content: bytes) -> int | None:
        return self._tried(self._file.write, content)

    def seek(self, *place: int) -> int | None:
        return self._tried(self._file.seek, *place)

    def _tried(self, action: Callable[..., int], *arguments: object) -> int | None:
        try:
            return None if self._has_failed else action(*arguments)
        except OSError:
            self._has_failed = True
            raise


def count_frames(file: BinaryIO) -> int:
    """How many packets of pictures a finished video has."""
    with av.open(file) as container:
        return sum(packet.size > 0 for packet in container.demux(video=0))
