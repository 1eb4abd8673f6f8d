"""The sound and the subtitles of a video, copied from file to file without being decoded."""

from __future__ import annotations

import io
from collections.abc import Iterable

import av

from srn_tf.media.containers import Container

_KEPT = ("language", "title")  # of what is known of a stream
# Old recorders name no layout of their channels, which MP4 must know; FFmpeg's own guesses.
_LAYOUTS = ("mono", "stereo", "2.1", "4.0", "5.0", "5.1", "6.1", "7.1")
# AVI counts the bytes of a sound for its time. Of others FFmpeg copies the size of a block, which
# it takes for that of a sample.
_TIMED_IN_AVI = ("mp2", "mp3", "pcm_", "flac")


class Copies:
    """The streams of one file in another.

    Args:
      container: of the file to write; its header is not written yet.
      kind: of that file.
      streams: to copy; which of them the container does not hold, the notes say.

    Attributes:
      notes: what is left out or changed, for the user to read.
    """

    def __init__(
        self,
        container: av.container.OutputContainer,
        kind: Container,
        streams: Iterable[av.stream.Stream],
    ):
        self._container, self._kind, self._muxer = container, kind, kind.muxer
        self.notes: list[str] = []
        self._last: dict[int, int] = {}
        self._copies = {stream.index: self._copy_of(stream) for stream in streams}

    def write(self, packet: av.Packet) -> None:
        """Writes a packet of one of the streams; that of a stream that is left out is dropped."""
        index, stream = packet.stream.index, packet.stream
        copy = self._copies.get(index)
        # What was trimmed off a clip is before its beginning: only edit lists can hide it.
        is_trimmed = (packet.pts or 0) + (packet.duration or 0) < 0 and not self._kind.is_mp4
        if copy is None or is_trimmed:
            return
        if index not in self._last and self._muxer == "avi":
            begin = float(packet.dts * packet.time_base)
            if begin > 0.02:
                self._note(f"avi begins every sound at once: it is {begin:.2f} s early")
        if packet.dts <= self._last.get(index, packet.dts - 1):  # most containers take no two
            packet.dts = self._last[index] + 1
            packet.pts = max(packet.pts or packet.dts, packet.dts)
        self._last[index] = packet.dts
        packet.stream = copy
        try:
            self._container.mux(packet)
        except ValueError:  # what FFmpeg raises for content; that of a full disk is an OSError
            self._note(f"{self._muxer} does not take all of its {stream.type}: parts are left out")

    def _note(self, note: str) -> None:
        self.notes += [] if note in self.notes else [note]

    def _copy_of(self, stream: av.stream.Stream) -> av.stream.Stream | None:
        name = stream.codec_context.codec.name if stream.codec_context else "?"
        if self._holds(stream, name):
            copy = _add(self._container, stream)
            copy.metadata.update({k: v for k, v in stream.metadata.items() if k in _KEPT})
            copy.disposition = stream.disposition.value
            return copy
        self._note(f"{self._muxer} holds no {name} {stream.type}: it is left out")
        return None

    def _holds(self, stream: av.stream.Stream, name: str) -> bool:
        if name not in self._container.supported_codecs:
            return False
        if self._muxer == "avi" and stream.type == "audio" and not name.startswith(_TIMED_IN_AVI):
            return False
        try:  # some codecs are known to a container and yet refused with its header
            with av.open(io.BytesIO(), "w", format=self._muxer) as trial:
                _add(trial, stream)
                trial.start_encoding()
        except (ValueError, av.error.FFmpegError):
            return False
        return True


def _add(container: av.container.OutputContainer, stream: av.stream.Stream) -> av.stream.Stream:
    copy = container.add_stream_from_template(stream)
    if stream.type == "audio":
        layout = stream.codec_context.layout
        if layout.name.endswith(" channels") and layout.nb_channels <= len(_LAYOUTS):
            copy.codec_context.layout = _LAYOUTS[layout.nb_channels - 1]
    return copy
