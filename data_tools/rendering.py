"""From consecutive sharp frames to a GoPro-style pair: the averages and the folder layout.

Section 5 of the paper trains on GOPRO_Large (Nah et al., CVPR 2017): 7 to 13 consecutive frames of
a 240-fps video are averaged to the blurred image, and the middle frame is the sharp one. The data
set holds two averages: `blur`, the mean of the 8-bit values, and `blur_gamma`, the mean of light
under a camera curve of gamma 2.2. Frames are uint8 `[N, H, W, 3]`, RGB.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from srn_tf.common.errors import InputError
from srn_tf.common.files import read_text, written_beside
from srn_tf.common.folders import locked
from srn_tf.common.progress import progress
from srn_tf.media.images import write_image

GAMMA = 2.2
# The folders of one sequence, in the order in which `write_pair` writes them.
SUBSETS = ("blur", "blur_gamma", "sharp")


def mean_of_values(frames: np.ndarray) -> np.ndarray:
    """GoPro's `blur`: the plain mean over the frames, rounded to uint8 `[H, W, 3]`."""
    return np.rint(frames.mean(axis=0, dtype=np.float64)).astype(np.uint8)


def mean_of_light(frames: np.ndarray) -> np.ndarray:
    """GoPro's `blur_gamma`: (mean(x^2.2))^(1/2.2) over the frames, rounded to uint8 `[H, W, 3]`."""
    light = (np.arange(256) / 255.0) ** GAMMA
    total = np.zeros(frames.shape[1:])
    for frame in frames:
        total += light[frame]
    return np.rint(255 * (total / len(frames)) ** (1 / GAMMA)).astype(np.uint8)


def middle_frame(frames: np.ndarray) -> np.ndarray:
    """GoPro's `sharp`, of an odd number of frames."""
    return frames[len(frames) // 2]


def write_pair(sequence: Path, name: str, frames: np.ndarray) -> None:
    """Writes `sequence/{blur,blur_gamma,sharp}/name.png` from the frames of one pair.

    `sharp` comes last, so that a pair whose `sharp` exists is complete.
    """
    images = (mean_of_values(frames), mean_of_light(frames), middle_frame(frames))
    for subset, image in zip(SUBSETS, images):
        write_image(sequence / subset / f"{name}.png", image)


def is_rendered(settings_file: Path, settings: dict, images: int, overwrite: bool) -> bool:
    """Whether the folder of `settings_file` holds exactly the data that `settings` describe.

    Args:
      settings_file: what `render_folder` writes beside the data.
      settings: as given to `render_folder`.
      images: how many PNGs the folder then holds.
      overwrite: whether it may be replaced if it holds anything else.

    Raises:
      InputError: it holds anything else and may not be replaced.
    """
    folder = settings_file.parent
    try:
        found = json.loads(read_text(settings_file))
    except (OSError, ValueError):
        found = None
    if found == settings and sum(1 for _ in folder.rglob("*.png")) == images:
        return True
    if folder.exists() and not overwrite and (folder.is_file() or any(folder.iterdir())):
        raise InputError(f"{folder} exists and holds something else: remove it or pass --overwrite")
    return False


def render_folder(
    settings_file: Path, settings: dict, jobs: Sequence, render: Callable[[Path, object], None]
) -> None:
    """Calls `render(folder, job)` for every job; the folder appears whole or not at all.

    `folder` is a temporary one that becomes that of `settings_file`.
    """
    folder = settings_file.parent
    with (
        locked(folder, beside=True),
        written_beside(folder) as temporary,
        ThreadPoolExecutor(4) as pool,
    ):
        done = pool.map(lambda job: render(temporary, job), jobs)
        for _ in progress(done, "rendering", len(jobs), "pair"):
            pass
        (temporary / settings_file.name).write_text(json.dumps(settings, indent=2) + "\n")
