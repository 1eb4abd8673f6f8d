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
import dataclasses
import itertools
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from absl import flags

from data_tools.recordings import check_fps, find_recordings, frames_of
from data_tools.rendering import write_pair
from srn_tf.common.cli import run
from srn_tf.common.errors import InputError, RunError
from srn_tf.common.files import read_text, reading, write_json
from srn_tf.common.flags import define_flags
from srn_tf.common.folders import joined_inside, locked
from srn_tf.common.options import PathText, number, one_of

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
    if not lengths:
        raise InputError(
            "a window needs a middle frame, thus an odd number of frames from 3 to "
            f"{LONGEST_WINDOW}; received window {window[0]}-{window[1]}"
        )
    with reading(source):
        recordings = find_recordings(Path(source))
    for path in recordings.values():
        check_fps(path, fps, allow_low_fps)
    folder = Path(output) / split
    settings = {"input": str(Path(source).resolve()), "window": list(window), "seed": seed}
    settings_file = Path(output) / f"synthesize_{split}.json"
    with locked(output):
        _check_settings(folder, settings_file, settings)
        written = kept = 0
        for name, path in recordings.items():
            generator = np.random.default_rng([seed, *os.fsencode(name)])
            draws = (int(generator.choice(lengths)) for _ in itertools.count())
            for shot, middle, frames in cut_into_windows(frames_of(path), draws):
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
    shot, window, length = 0, [], next(lengths)
    for last, (frame, is_cut) in enumerate(_with_cuts(frames), start=1):
        if is_cut:
            shot, window = shot + 1, []
        window.append(frame)
        if len(window) == length:
            yield shot, last - length // 2, window
            window, length = [], next(lengths)


def _with_cuts(frames: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, bool]]:
    """Each frame, and whether it begins a new shot."""
    previous, differences = None, collections.deque(maxlen=24)
    for frame in frames:
        gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        thumbnail = cv2.resize(gray, (32, 32), interpolation=cv2.INTER_AREA).astype(float)
        is_cut = False
        if previous is not None:
            difference = np.abs(thumbnail - previous).mean()
            # Measured: pans by 1% of the width per frame differ by 3 to 11, unrelated photographs
            # by 19 or more, half of them by more than 60.
            is_cut = difference > 10 + 2 * (np.median(differences) if differences else 0)
            differences.append(difference)
        yield frame, is_cut
        previous = thumbnail


def _check_settings(folder: Path, settings_file: Path, settings: dict) -> None:
    if not settings_file.exists():
        if folder.exists() and any(folder.iterdir()):
            raise InputError(f"{folder} holds data of another origin: choose another --output")
        return
    try:
        before = dict(json.loads(read_text(settings_file)))
    except (ValueError, TypeError):
        raise InputError(f"{settings_file} is damaged: choose another --output") from None
    for field, value in settings.items():
        if before.get(field) != value:
            raise InputError(
                f"{folder} was made with {field} {before.get(field)!r}, not {value!r}: pass the "
                "same flags to resume, or another --output"
            )


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


@dataclasses.dataclass(frozen=True)
class Flags:
    """What is made of what.

    Files:
      input: Video, folder of frames, or folder of videos or of folders of frames.
      output: Folder of the data set to make.
      split: Subfolder that gets the pairs.

    Pairs:
      window: Number of frames averaged: an odd number, or a range from which an odd number is drawn
        for every pair.
      seed: Seed of these draws.
      fps: Frames per second of the recording. Required for frames; the default for a video is what
        its file says.
      allow_low_fps: Accept less than 120 frames per second.
    """

    input: PathText
    output: PathText
    split: str = one_of(("train", "test"), "train")
    window: str = "7-13"
    seed: int = number(0, most=2**32 - 1)
    fps: float | None = number(None, least=1e-3, most=1e6)
    allow_low_fps: bool = False


if __name__ == "__main__":
    define_flags(Flags)
    run(main)
