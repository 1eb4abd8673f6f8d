"""The order in which the starter weights learn: level pans, straight lines, cameras of all kinds.

Begun with all kinds of blur at once, a network soon sharpens everything alike a little and stays
there: what its deep half adds is noise at first, the loss drives it to zero, and behind a ReLU that
never opens again it learns nothing more. One direction it learns to undo within some 1500 steps,
a second one then without losing the first, and every direction after those.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from data_tools.cameras import camera_path

STRAIGHT_SAMPLES = (7, 9, 11, 13, 17, 21)
CURVES = {"smooth": 0.7, "arc": 0.15, "line": 0.15}  # kinds of `data_tools.cameras` and shares
NEARLY_LEVEL = 0.12  # radians; standard deviation from the horizontal


class Lesson(NamedTuple):
    """What the pairs of one lot show.

    Attributes:
      path: makes the poses `[N, 4]` of a camera, as `data_tools.cameras` has them.
      still, moving, drawn, light, noisy: shares of pairs whose camera stands still, with a moving
        object, of text and drawings, that sum light, and (each of the two) with noise and from
        JPEGs.
    """

    path: Callable[[np.random.Generator], np.ndarray]
    still: float
    moving: float
    drawn: float
    light: float
    noisy: float


def straight_path(
    generator: np.random.Generator, lengths: tuple[float, float], *, level: bool
) -> np.ndarray:
    """Poses `[N, 4]` along a line at constant speed, its length in pixels between `lengths`."""
    samples = int(generator.choice(STRAIGHT_SAMPLES))
    angle = NEARLY_LEVEL * generator.normal() if level else generator.uniform(0, np.pi)
    length = np.exp(generator.uniform(*np.log(lengths)))
    time = np.linspace(-0.5, 0.5, samples)
    poses = np.zeros((samples, 4))
    poses[:, :2] = np.outer(length * time, (np.cos(angle), np.sin(angle)))
    return poses - poses[samples // 2]


_STRAIGHT = {"still": 0, "moving": 0, "drawn": 0.04, "light": 0.3, "noisy": 0}
_ALL = Lesson(camera_path, still=0.08, moving=0.05, drawn=0.05, light=0.4, noisy=0.35)
LESSONS = {
    "pans": Lesson(partial(straight_path, lengths=(4, 10), level=True), **_STRAIGHT),
    "lines": Lesson(partial(straight_path, lengths=(2.5, 10), level=False), **_STRAIGHT),
    "all": _ALL,
    "noisy": _ALL._replace(noisy=0.6),
    "curves": _ALL._replace(
        path=partial(camera_path, samples=27, kinds=CURVES, lengths=(4, 20)), still=0.04, noisy=0.8
    ),
    "shake": _ALL._replace(
        path=partial(camera_path, kinds={"shake": 1.0}, lengths=(1.8, 18)), moving=0, noisy=0.2
    ),
}
