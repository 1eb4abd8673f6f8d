"""GoPro-style training pairs from your own high-frame-rate video or folders of frames.

    python -m data_tools.synthesize --input=clip.mp4 --output=data/own

As for GOPRO_Large, consecutive frames are averaged to the blurred image and the middle one is the
sharp image; windows of frames do not overlap. A pair is written as
`OUTPUT/SPLIT/NAME_yy_zz/{blur,blur_gamma,sharp}/NNNNNN.png`: NAME of the video or folder, number
`yy` of frames averaged, shot `zz` of the video (from 00), number of the sharp frame (from 1).

No window crosses a scene cut. A cut is a frame whose 32x32 gray thumbnail differs from that of the
frame before by more than 10 gray levels plus twice the median of the last 24 such differences,
all of them means over the thumbnail: a fast pan raises the median, a cut stands alone. Cuts between
two scenes that look alike at that size and slow dissolves are not seen.
"""

from __future__ import annotations

import collections
import itertools
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from absl import flags

from data_tools.rendering import write_pair
from srn_tf.common.cli import run
from srn_tf.common.errors import InputError, RunError
from srn_tf.common.files import check_regular, reading, write_json
from srn_tf.common.flags import define
from srn_tf.common.folders import joined_inside, locked
from srn_tf.common.progress import progress
from srn_tf.media.containers import is_video
from srn_tf.media.images import is_image, read_rgb
from srn_tf.media.video_reading import Video

LOWEST_FPS = 120
LONGEST_WINDOW = 999


def synthesize(
    source: str | Path,
    output: str | Path,
    *,
    split: str = "train",
    window: tuple[int, int] = (7, 13),
    seed: int = 0,
    fps: float | None = None,
    allow_low_fps: bool = False,
) -> tuple[int, int]:
    """Writes the pairs of one or several recordings; pairs that are there already are kept.

    The pairs depend on the frames, the window and the seed alone, so an interrupted call is resumed
    by the same call.

    Args:
      source: a video, a folder of frames, or a folder of videos or of folders of frames. Frames of
        a folder follow each other by the numbers in their names.
      output: folder of the data set; the pairs go to `output/split`.
      split: `train` or `test`.
      window: least and greatest number of frames averaged; an odd number is drawn for every pair.
      seed: of these draws; non-negative.
      fps: frames per second of the recording; None takes it from the video file.
      allow_low_fps: whether to accept less than 120 frames per second.

    Returns:
      The number of pairs written and of pairs that were there already.

    Raises:
      InputError: the source or a value cannot be used, or `output/split` was made otherwise or is
        in use.
      RunError: no shot is long enough for a single pair.
    """
    in_range = window[0] >= 3 and window[1] <= LONGEST_WINDOW
    lengths = [n for n in range(window[0], window[1] + 1) if n % 2] if in_range else []
    if not lengths or seed < 0:
        raise InputError(
            "a window needs a middle frame, thus an odd number of frames from 3 to "
            f"{LONGEST_WINDOW}, and the seed is at least 0; received window "
            f"{window[0]}-{window[1]} and seed {seed}"
        )
    with reading(source):
        recordings = _find_recordings(Path(source))
    for path in recordings.values():
        _check_fps(path, fps, allow_low_fps)
    folder = Path(output) / split
    settings = {"input": str(Path(source).resolve()), "window": list(window), "seed": seed}
    settings_file = Path(output) / f"synthesize_{split}.json"
    with locked(output):
        _check_settings(folder, settings_file, settings)
        written = kept = 0
        for name, path in recordings.items():
            generator = np.random.default_rng([seed, *os.fsencode(name)])
            draws = (int(generator.choice(lengths)) for _ in itertools.count())
            for shot, middle, frames in cut_into_windows(_frames(path), draws):
                sequence = joined_inside(folder, f"{name}_{len(frames):02d}_{shot:02d}")
                if (sequence / "sharp" / f"{middle:06d}.png").exists():
                    kept += 1
                    continue
                if not settings_file.exists():
                    write_json(settings_file, settings)
                write_pair(sequence, f"{middle:06d}", np.stack(frames))
                written += 1
    if not written + kept:
        raise RunError(f"{source} has no shot of {lengths[0]} frames or more: nothing written")
    return written, kept


def cut_into_windows(
    frames: Iterable[np.ndarray], lengths: Iterator[int]
) -> Iterator[tuple[int, int, list[np.ndarray]]]:
    """Disjoint windows of consecutive frames of one shot.

    Yields the number of the shot (from 0), that of the middle frame (from 1) and the frames, as
    many as the next of `lengths` says. What is left over at the end of a shot is dropped.
    """
    is_cut = CutDetector()
    shot, window, length = 0, [], next(lengths)
    for number, frame in enumerate(frames, start=1):
        if is_cut(frame):
            shot, window = shot + 1, []
        window.append(frame)
        if len(window) == length:
            yield shot, number - length // 2, window
            window, length = [], next(lengths)


class CutDetector:
    """Called with one frame after the other, tells whether a frame begins a new shot."""

    def __init__(self):
        self._previous = None
        self._differences = collections.deque(maxlen=24)

    def __call__(self, frame: np.ndarray) -> bool:
        gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        thumbnail = cv2.resize(gray, (32, 32), interpolation=cv2.INTER_AREA).astype(float)
        previous, self._previous = self._previous, thumbnail
        if previous is None:
            return False
        difference = np.abs(thumbnail - previous).mean()
        usual = np.median(self._differences) if self._differences else 0.0
        self._differences.append(difference)
        # Measured: pans by 1% of the width per frame differ by 3 to 11, unrelated photographs by 19
        # or more, half of them by more than 60.
        return difference > 10 + 2 * usual


def _find_recordings(source: Path) -> dict[str, Path]:
    """The videos and folders of frames, by the name their sequences get."""
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


def _check_fps(path: Path, fps: float | None, allow_low_fps: bool) -> None:
    if fps is None and path.is_dir():
        raise InputError(f"{path}: frames carry no frame rate: pass it with --fps")
    if fps is None:
        video = Video(path)
        video.close()
        fps = float(video.rate)
    if not fps > 0:
        raise InputError(f"{path} has no usable frame rate ({fps}): pass it with --fps")
    if fps < LOWEST_FPS and not allow_low_fps:
        raise InputError(
            f"{path} has {fps:g} frames per second; below {LOWEST_FPS} things move so far from "
            "frame to frame that the average shows separate copies instead of a blur. Pass --fps "
            "if it was recorded faster than it plays (slow motion), or --allow_low_fps"
        )


def _check_settings(folder: Path, settings_file: Path, settings: dict) -> None:
    if not settings_file.exists():
        if folder.exists() and any(folder.iterdir()):
            raise InputError(f"{folder} holds data of another origin: choose another --output")
        return
    check_regular(settings_file)
    try:
        before = json.loads(settings_file.read_text("utf-8"))
        if not isinstance(before, dict):
            raise TypeError(before)
    except (ValueError, TypeError, RecursionError):
        raise InputError(f"{settings_file} is damaged: choose another --output") from None
    for field, value in settings.items():
        if before.get(field) != value:
            raise InputError(
                f"{folder} was made with {field} {before.get(field)!r}, not {value!r}: pass the "
                "same flags to go on, or another --output"
            )


def _frames(path: Path) -> Iterator[np.ndarray]:
    """The frames of a recording, uint8 `[H, W, 3]`, RGB, all of one size, with a progress bar."""
    shape = None
    for name, frame in _frames_of_folder(path) if path.is_dir() else _frames_of_video(path):
        shape = shape or frame.shape
        if frame.shape != shape:
            raise InputError(
                f"{name} is {frame.shape[1]}x{frame.shape[0]}, the frames before it are "
                f"{shape[1]}x{shape[0]}"
            )
        yield frame


def _frames_of_folder(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    for path in progress(_images(folder), folder.name, unit="frame"):
        yield str(path), read_rgb(path)


def _frames_of_video(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    video = Video(path)
    try:
        frames = progress(video.contents(), path.name, video.expected or None, "frame")
        for number, frame in enumerate(frames):
            if not number and frame.image.dtype != np.uint8:
                print(f"warning: {path} has more than 8 bits: pairs have 8", file=sys.stderr)
            yield f"{path}: frame {number}", _eight_bits(frame.image)
    finally:
        video.close()
    if video.damage:
        print(f"warning: {path}: {video.damage}", file=sys.stderr)


def _eight_bits(image: np.ndarray) -> np.ndarray:
    return image if image.dtype == np.uint8 else ((image + np.uint32(128)) // 257).astype(np.uint8)


def parse_window(text: str) -> tuple[int, int]:
    """`"7-13"` -> (7, 13), `"11"` -> (11, 11); anything else raises InputError."""
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", text)
    if not match:
        raise InputError(f"--window is a number such as 11 or a range such as 7-13, not {text!r}")
    return int(match[1]), int(match[2] or match[1])


def main() -> None:
    """Writes the pairs as the flags say."""
    values = flags.FLAGS
    written, kept = synthesize(
        values.input,
        values.output,
        split=values.split,
        window=parse_window(values.window),
        seed=values.seed,
        fps=values.fps,
        allow_low_fps=values.allow_low_fps,
    )
    print(f"{written} pairs written to {values.output}/{values.split}, {kept} were there already")


def _define_flags() -> None:
    files, pairs = "Files", "Pairs"
    define(
        "input",
        str,
        None,
        "Video, folder of frames, or folder of videos or of folders of frames.",
        group=files,
        required=True,
    )
    define("output", str, None, "Folder of the data set to make.", group=files, required=True)
    define(
        "split",
        str,
        "train",
        "Subfolder that gets the pairs.",
        group=files,
        choices=("train", "test"),
    )
    define(
        "window",
        str,
        "7-13",
        "Number of frames averaged: an odd number, or a range from which an odd number is drawn "
        "for every pair.",
        group=pairs,
    )
    define("seed", int, 0, "Seed of these draws.", group=pairs, least=0, below=2**32)
    define(
        "fps",
        float,
        None,
        "Frames per second of the recording. Required for frames; the default for a video is what "
        "its file says.",
        group=pairs,
        above=0,
        most=1e6,
    )
    define(
        "allow_low_fps",
        bool,
        False,
        f"Accept less than {LOWEST_FPS} frames per second.",
        group=pairs,
    )


if __name__ == "__main__":
    _define_flags()
    run(main)
