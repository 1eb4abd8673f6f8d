"""Recordings from which pairs are made: videos, and folders of frames."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from srn_tf.common.errors import InputError
from srn_tf.common.files import check_regular
from srn_tf.common.progress import progress
from srn_tf.media.containers import is_video
from srn_tf.media.images import is_image, read_rgb
from srn_tf.media.video_reading import Video

LOWEST_FPS = 120


def find_recordings(source: Path) -> dict[str, Path]:
    """The videos and folders of frames in `source`, by the name their sequences get.

    Raises:
      InputError: there is none, `source` is a single image, or two share a name.
    """
    if source.is_file():
        if is_image(source):
            raise InputError(f"{source} is a single image: pass a video or a folder of frames")
        return {source.stem: source}
    if not source.is_dir():
        check_regular(source)
    if _images(source):
        return {source.resolve().name: source}
    recordings = {}
    for path in sorted(source.iterdir()):
        if path.name[0] == ".":
            continue
        if is_video(path) or (path.is_dir() and _images(path)):
            name = path.name if path.is_dir() else path.stem
            if name in recordings:
                raise InputError(f"{path} and {recordings[name]} share a name: rename one of them")
            recordings[name] = path
    if not recordings:
        raise InputError(f"{source} holds neither frames nor videos nor folders of frames")
    return recordings


def _images(folder: Path) -> list[Path]:
    """The frames of a folder, by the numbers in their names: frame_9 before frame_10."""

    def by_number(path: Path) -> list[tuple[int, str]]:
        parts = re.split(r"(\d+)", path.stem)
        return [(int(part), "") if part.isdecimal() else (0, part) for part in parts]

    images = (path for path in folder.iterdir() if is_image(path) and path.name[0] != ".")
    return sorted(images, key=by_number)


def check_fps(path: Path, fps: float | None, allow_low_fps: bool) -> None:
    """Refuses what is recorded too slowly; `fps` None takes the rate from the video.

    Raises:
      InputError: the rate is below LOWEST_FPS, or not known.
    """
    if fps is None and not path.is_dir():
        with contextlib.closing(Video(path)) as video:
            fps = float(video.rate)
    if not fps or not fps > 0:
        raise InputError(f"{path} tells no frame rate: pass it with --fps")
    if fps < LOWEST_FPS and not allow_low_fps:
        raise InputError(
            f"{path} has {fps:g} frames per second; below {LOWEST_FPS} things move so far from "
            "frame to frame that the average shows separate copies instead of a blur. Pass --fps "
            "if it was recorded faster than it plays (slow motion), or --allow_low_fps"
        )


def frames_of(path: Path) -> Iterator[np.ndarray]:
    """The frames of a recording, uint8 `[H, W, 3]`, RGB, with a progress bar.

    Raises:
      InputError: one cannot be read, or has another size than those before.
    """
    shape = None
    if path.is_dir():
        files = progress(_images(path), path.name, unit="frame")
        frames = ((str(file), read_rgb(file)) for file in files)
    else:
        frames = _frames_of_video(path)
    for name, frame in frames:
        shape = shape or frame.shape
        if frame.shape != shape:
            raise InputError(
                f"{name} is {frame.shape[1]}x{frame.shape[0]}, the frames before it are "
                f"{shape[1]}x{shape[0]}"
            )
        yield frame


def _frames_of_video(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    with contextlib.closing(Video(path)) as video:
        frames = progress(video.contents(), path.name, video.expected or None, "frame")
        for number, (image, *_) in enumerate(frames):
            if image.dtype != np.uint8:
                if not number:
                    print(f"warning: {path} has more than 8 bits: pairs have 8", file=sys.stderr)
                image = ((image + np.uint32(128)) // 257).astype(np.uint8)
            yield f"{path}: frame {number}", image
    if video.damage:
        print(f"warning: {path}: {video.damage}", file=sys.stderr)
