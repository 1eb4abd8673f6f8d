"""From consecutive sharp frames to a GoPro-style pair: the averages and the folder layout.

Section 5 of the paper trains on GOPRO_Large (Nah et al., CVPR 2017): 7 to 13 consecutive frames of
a 240-fps video are averaged to the blurred image, and the middle frame is the sharp one. The data
set holds two averages: `blur`, the mean of the 8-bit values, and `blur_gamma`, the mean of light
under a camera curve of gamma 2.2. Frames are uint8 `[N, H, W, 3]`, RGB.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from srn_tf.common.images import write_image

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
