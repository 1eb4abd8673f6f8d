"""Deblurring a video frame by frame: times, orientation, colours and sound are kept.

A frame is deblurred by itself, so what is invented in one may flicker in the next. Frames are
decoded, computed and encoded in three threads. A run that is killed leaves nothing and starts again
from the first frame.
"""

from __future__ import annotations

import itertools
import os
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
from srn_tf.inference.options import Options
from srn_tf.media.containers import CODECS, CONTAINERS
from srn_tf.media.video_reading import Frame, Video
from srn_tf.media.video_writing import VideoWriter, count_frames

if TYPE_CHECKING:
    from srn_tf.inference.deblurrer import Deblurrer

_AHEAD = 4  # frames that wait between two threads


def deblur_video(deblurrer: Deblurrer, source: Path, target: Path, options: Options) -> list[str]:
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
    with (
        closing(Video(source, options.max_megapixels / 4)) as video,
        written_beside(target) as part,
    ):
        try:
            writer = VideoWriter(
                part,
                CODECS[codec],
                options.crf,
                video,
                with_others=options.frames is None,
                with_metadata=not options.strip_metadata,
            )
            with closing(writer):
                _run(deblurrer, video, writer, options)
            if not writer.count:
                raise InputError(f"{source} has no frame here that can be decoded")
            if count_frames(part) != writer.count:
                raise RunError(f"{target}: the encoded video is not whole (disk full?)")
            notes = writer.notes + _losses(video, part, options)
        except (av.error.FFmpegError, OSError) as error:  # FFmpeg's of a full disk is an OSError
            raise RunError(f"{target} could not be made of {source}: {reason(error)}") from None
        if video.damage:
            rest = target.with_suffix(f".truncated{target.suffix}")
            os.replace(part, rest)
            raise RunError(
                f"{source}: {video.damage}; {rest} holds the {writer.count} frames that could be "
                "decoded"
            )
    return notes


def _run(deblurrer: Deblurrer, video: Video, writer: VideoWriter, options: Options) -> None:
    start, stop = options.part
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
        writing.submit(writer.finish).result()


def _losses(video: Video, made_path: Path, options: Options) -> list[str]:
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
