"""Deblurring a video frame by frame with OpenCV: size and frame rate are kept, sound is not."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import tqdm

from srn_tf.common.errors import InputError, RunError
from srn_tf.common.files import written_beside
from srn_tf.inference.deblurrer import Deblurrer

# What OpenCV's wheels can encode, by suffix; FFV1 alone is without loss.
CODECS = {
    ".mp4": "mp4v",
    ".m4v": "mp4v",
    ".mov": "mp4v",
    ".avi": "MJPG",
    ".mkv": "FFV1",
    ".webm": "VP90",
}


def is_video(path: Path) -> bool:
    """Whether the suffix of `path` is one of the formats handled here."""
    return path.suffix.lower() in CODECS


def deblur_video(deblurrer: Deblurrer, source: Path, target: Path, compare: bool) -> None:
    """Deblurs `source` into `target`, whose suffix picks container and codec (see `CODECS`).

    Args:
      deblurrer: does the work.
      source: video file.
      target: video file to write.
      compare: write input and output side by side, twice as wide.

    Raises:
      InputError: the video cannot be decoded or encoded.
      RunError: it ended early; what could be decoded is in a file of its own beside `target`.
    """
    if not source.exists():
        raise InputError(f"{source} does not exist")
    capture = cv2.VideoCapture(str(source))
    frames = _frames(capture)
    first = next(frames, None)
    fps = capture.get(cv2.CAP_PROP_FPS)
    if first is None or not fps > 0:
        raise InputError(f"{source} is unreadable, truncated or of a codec that OpenCV lacks")
    height, width, _ = first.shape
    expected = max(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0)
    count = 0
    with written_beside(target) as temporary:
        writer = _opened_writer(temporary, fps, 2 * width if compare else width, height)
        bar = tqdm.tqdm(itertools.chain([first], frames), total=expected or None, unit="frame")
        for frame in bar:
            deblurred = deblurrer(frame)
            shown = np.hstack([frame, deblurred]) if compare else deblurred
            writer.write(cv2.cvtColor(shown, cv2.COLOR_RGB2BGR))
            count += 1
        writer.release()
    # The length that a container tells may be that of a sound track that ends a little later.
    if count < expected - max(fps, 0.02 * expected):
        part = target.with_name(f"{target.stem}.truncated{target.suffix}")
        if part.resolve() == source.resolve():
            part = target
        target.replace(part)
        raise RunError(
            f"{source} ended after {count} of {expected} frames (truncated?); {part} holds those"
        )


def _frames(capture: cv2.VideoCapture) -> Iterator[np.ndarray]:
    while True:
        found, frame = capture.read()
        if not found:
            return
        yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)


def _opened_writer(path: Path, fps: float, width: int, height: int) -> cv2.VideoWriter:
    if height % 2 or width % 2:
        raise InputError(f"frames of odd size ({width}x{height}) cannot be encoded: crop the video")
    codec = CODECS[path.suffix.lower()]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), fps, (width, height))
    if not writer.isOpened():
        raise InputError(f"OpenCV cannot write {codec} video to a {path.suffix} file")
    return writer
