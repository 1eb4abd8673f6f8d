"""Deblurring a video frame by frame: times, orientation, colours and sound are kept.

A frame is deblurred by itself, so what is invented in one may flicker in the next. Frames are
decoded, computed and encoded in three threads. A run that is killed leaves nothing and starts again
from the first frame.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import re
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from srn_tf.common.errors import InputError, RunError
from srn_tf.common.files import reason, written_beside
from srn_tf.common.progress import Progress
from srn_tf.common.threads import ahead
from srn_tf.media.containers import CODECS, CONTAINERS
from srn_tf.media.video_reading import MAX_MEGAPIXELS, Frame, Video
from srn_tf.media.video_writing import VideoWriter, count_frames

if TYPE_CHECKING:
    from srn_tf.inference.deblurrer import Deblurrer

_AHEAD = 4  # frames that wait between two threads


@dataclasses.dataclass(frozen=True)
class VideoOptions:
    """How a video is written.

    Attributes:
      compare: input and output side by side, twice as wide.
      codec: a name in `CODECS`; None takes the first that the container holds.
      crf: constant rate factor of H.264 and VP9, from 0 (best) to 51 or 63; None: 18 or 24.
      frames: first frame and the one after the last, from 0; None for all.
      strip_metadata: leave title, date and place out.
      max_megapixels: videos with larger frames are refused; 1 is 1e6 pixels.
    """

    compare: bool = False
    codec: str | None = None
    crf: int | None = None
    frames: tuple[int, int] | None = None
    strip_metadata: bool = False
    max_megapixels: float = MAX_MEGAPIXELS


def parse_frames(text: str) -> tuple[int, int]:
    """`"100:200"` -> (100, 200); either may be left out. Anything else raises InputError."""
    match = re.fullmatch(r"(\d{0,9}):(\d{0,9})", text)
    start, stop = match.groups() if match else ("", "0")
    part = int(start or 0), int(stop or sys.maxsize)
    if part[0] >= part[1]:
        raise InputError(f"--frames is a range such as 100:200, not {text!r}")
    return part


def deblur_video(
    deblurrer: Deblurrer, source: Path, target: Path, options: VideoOptions
) -> list[str]:
    """Deblurs `source` into `target`, whose suffix picks the container (see `CONTAINERS`).

    Returns:
      What of the video could not be kept, a line each.

    Raises:
      InputError: the video cannot be decoded, or the container holds no such codec.
      RunError: it ended early or is damaged; what could be decoded is in a file of its own beside
        `target`, which is as it was.
    """
    container = CONTAINERS[target.suffix.lower()]
    codec = options.codec or container.codecs[0]
    if codec not in container.codecs:
        raise InputError(f"{target} holds {' or '.join(container.codecs)} here, not {codec}")
    if options.crf is not None and CODECS[codec].crf is None:
        raise InputError(f"{codec}, in which {target} is written, has no --crf")
    with closing(Video(source, options.max_megapixels)) as video, written_beside(target) as part:
        try:
            writer = VideoWriter(
                part,
                CODECS[codec],
                options.crf,
                video,
                with_others=options.frames is None,
                with_metadata=not options.strip_metadata,
            )
            try:
                _run(deblurrer, video, writer, options)
            finally:
                writer.abandon()
            if not writer.count:
                raise InputError(f"{source} has no frame here that can be decoded")
            if count_frames(part) != writer.count:
                raise RunError(f"{target}: the encoded video is not whole (disk full?)")
            notes = writer.notes + _losses(video, part, options)
        except (av.error.FFmpegError, OSError) as error:  # FFmpeg's of a full disk is an OSError
            raise RunError(f"{target} could not be made of {source}: {reason(error)}") from None
        if video.damage:
            rest = _path_of_rest(target)
            os.replace(part, rest)
            raise RunError(
                f"{source}: {video.damage}; {rest} holds the {writer.count} frames that could be "
                "decoded"
            )
    return [f"{source}: {note}" for note in notes]


def _run(deblurrer: Deblurrer, video: Video, writer: VideoWriter, options: VideoOptions) -> None:
    start, stop = options.frames or (0, sys.maxsize)
    total = min(video.expected, stop) - start
    contents = video.contents(start=start, with_others=options.frames is None)
    bar = Progress("deblurring", total if total > 0 else None, "frame")

    def deblurred(items: Iterable[Frame | object]) -> Iterator[Frame | object]:
        number, shift = start - 1, None
        for item in items:
            if isinstance(item, Frame):
                number += 1
                if number >= stop:
                    return
                if shift is None:
                    shift = item.pts if start else 0
                try:
                    image = deblurrer(item.image)
                except RunError as error:
                    raise RunError(f"{video.path}, frame {number}: {error}") from None
                if options.compare:
                    image = np.hstack([item.image, image])
                item = Frame(image, item.pts - shift, item.duration)
                bar.update()
            yield item

    with bar, ThreadPoolExecutor(1) as reading, ThreadPoolExecutor(1) as writing:
        read = ahead(reading, lambda _: next(contents, None), itertools.repeat(None), _AHEAD)
        read = itertools.takewhile(lambda item: item is not None, read)
        for _ in ahead(writing, writer.write, deblurred(read), _AHEAD):
            pass
        writing.submit(writer.close).result()


def _losses(video: Video, made_path: Path, options: VideoOptions) -> list[str]:
    """What the video holds and the one made of it does not, in one line."""
    with closing(Video(made_path)) as made:
        next(made.contents(), None)
    lost = video.inventory - made.inventory
    names = [
        f"{name} ({made.inventory[name]} of {video.inventory[name]})"
        if made.inventory[name]
        else name
        for name in sorted(lost)
        if not (options.strip_metadata and name.startswith("tag "))
    ]
    return [f"not kept: {', '.join(names)}"] if names else []


def _path_of_rest(target: Path) -> Path:
    """Where what could be decoded of a damaged video goes: `NAME.truncated.mp4`, or one beside."""
    stem = os.fsdecode(os.fsencode(target.stem)[:230])  # a name has at most 255 bytes
    for number in itertools.count():
        path = target.with_name(f"{stem}.truncated{number or ''}{target.suffix}")
        if not path.exists():
            return path
