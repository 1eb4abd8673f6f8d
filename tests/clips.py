"""Small videos for tests, made with PyAV, and their frames."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from srn_tf.inference.options import Options
from srn_tf.inference.video_files import deblur_video
from srn_tf.media.containers import CODECS, CONTAINERS
from srn_tf.media.video_reading import EXACT, Frame, Video


def picture(number: int, size: tuple[int, int], deep: bool = False) -> np.ndarray:
    """A frame whose corners differ: red at the left top, and brighter with its number."""
    height, width = size
    image = np.full((height, width, 3), (40 + 10 * number, 90, 60), np.uint8)
    image[: height // 2, : width // 2] = (200, 30, 40)
    return image.astype(np.uint16) * 257 if deep else image


def make_video(
    path: Path,
    times: tuple[int, ...] = (0, 1, 2, 3),
    size: tuple[int, int] = (48, 64),
    *,
    time_base: Fraction = Fraction(1, 25),
    rate: Fraction | int | None = None,
    encoder: str = "libx264",
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    muxer: str | None = None,
    pictures: Sequence[np.ndarray] | None = None,
    sound: str | None = None,
    sound_blocks: int = 20,
    subtitles: tuple[str, Sequence[bytes]] | None = None,
    **fields,
) -> Path:
    """Writes frames (`pictures`) shown at `times`, in ticks of `time_base`, and a sound.

    Of `subtitles`, their codec and lines, there is one every 40 ms, and they speak German.
    """
    deep = "10" in pixels
    if pictures is None:
        pictures = [picture(number, size, deep) for number in range(len(times))]
    with path.open("w+b") as file:
        muxer = muxer or {".mkv": "matroska", ".m4v": "mp4"}.get(path.suffix, path.suffix[1:])
        container = av.open(file, "w", format=muxer)
        stream = container.add_stream(
            encoder, rate=rate or 1 / time_base, options=options or {"crf": "1"}
        )
        stream.height, stream.width, stream.pix_fmt = *size, pixels
        stream.time_base = stream.codec_context.time_base = time_base
        for name, value in fields.items():
            setattr(stream.codec_context, name, value)
        audio = container.add_stream(sound, rate=44100, layout="stereo") if sound else None
        if subtitles:
            text = container.add_mux_stream(subtitles[0])
            text.time_base, text.metadata["language"] = Fraction(1, 1000), "ger"
        for time, image in zip(times, pictures):
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(image), format="rgb48le" if deep else "rgb24"
            )
            frame = frame.reformat(
                format=pixels,
                dst_colorspace=fields.get("colorspace", 2),
                dst_color_range=fields.get("color_range", 1),
                interpolation=EXACT,
            )
            frame.pts, frame.time_base = time, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if audio:
            for block in range(sound_blocks):
                noise = np.random.default_rng(block).uniform(-0.1, 0.1, (2, 1024))
                heard = av.AudioFrame.from_ndarray(
                    noise.astype(np.float32), format="fltp", layout="stereo"
                )
                heard.sample_rate, heard.pts = 44100, 1024 * block
                heard.time_base = Fraction(1, 44100)
                container.mux(audio.encode(heard))
            container.mux(audio.encode(None))
        for number, line in enumerate(subtitles[1] if subtitles else ()):
            packet = av.Packet(line)
            packet.stream, packet.time_base = text, text.time_base
            packet.pts, packet.dts, packet.duration = 40 * number, 40 * number, 40
            container.mux(packet)
        container.close()
    return path


def write_frame(path: Path, frame: av.VideoFrame, encoder: str, **options) -> Path:
    """A video of one frame, in its own pixel format."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(encoder, rate=25, **options)
        stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, frame.format.name
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def turn(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Gives the picture of an MP4 a display matrix with these entries."""
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 4 + 4 + 36
    one = 1 << 16
    matrix = (a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
    content[place : place + 36] = struct.pack(">9i", *matrix)
    path.write_bytes(content)


def frames_of(path: Path) -> list[Frame]:
    """All frames, as `Video` gives them."""
    video = Video(path)
    try:
        return list(video.contents())
    finally:
        video.close()


def times_of(path: Path) -> list[float]:
    """When each frame is shown, in seconds, by PyAV itself."""
    with path.open("rb") as file, av.open(file) as container:
        return [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]


def packets_of(path: Path, kind: str) -> list[bytes]:
    """The content of all packets of the first stream of that kind."""
    with path.open("rb") as file, av.open(file) as container:
        return [bytes(packet) for packet in container.demux(**{kind: 0}) if packet.size]


def stream_of(path: Path, kind: str = "video") -> av.stream.Stream:
    """The first stream of that kind, whose fields can be read."""
    return next(iter(getattr(av.open(str(path)).streams, kind)))


def with_another_size(path, width, height):
    """Has all but the first frames of a Motion JPEG claim another size."""
    content = path.read_bytes()
    head, mark, rest = content.partition(b"\xff\xc0\0\x11\x08")
    rest = rest[:4] + rest[4:].replace(
        mark + rest[:4], mark + height.to_bytes(2, "big") + width.to_bytes(2, "big")
    )
    path.write_bytes(head + mark + rest)


def identity(image: np.ndarray) -> np.ndarray:
    """In place of a network."""
    assert image.shape[2:] == (3,)
    return image


def deblur(source: Path, target: Path, **options) -> list[str]:
    """What `deblur_video` says, `identity` being the network, at the finest quality."""
    codec = CODECS[options.get("codec") or CONTAINERS[target.suffix].codecs[0]]
    finest = {} if codec.crf is None else {"crf": 1}
    return deblur_video(identity, source, target, Options(**finest, **options))
