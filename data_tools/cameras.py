"""Cameras of many kinds: the paths they take, what they see on them, what the file keeps of it.

Poses are `[N, 4]` as in `data_tools.scenes`: shift right and down in pixels, roll in radians, log
of zoom, with N odd and the middle one zero, so that the middle sample is the sharp image.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import cv2
import numpy as np

from data_tools.scenes import shake_path, transforms

# Kinds of paths and their shares. What hands do is smooth over the time of an exposure.
PATHS = {"shake": 0.35, "smooth": 0.3, "line": 0.2, "arc": 0.1, "walk": 0.03, "tremor": 0.02}
MOSTLY, MOSTLY_SHARE = (1.5, 12), 0.75  # lengths of paths in pixels, evenly in their logarithm
STRONG = (8, 24)  # of the others, evenly
SAMPLES = (7, 51)  # along a path, in odd numbers, N in proportion to 1 / N
FEW_SAMPLES, FEW_SHARE = (7, 13), 0.7  # of the demonstration's paths; GoPro's windows
TURNING = 0.4  # share with roll and zoom
ROLL, ZOOM = 0.02, 0.006  # greatest scale of the two for a path of STRONG[0] + 7 pixels
READ_NOISE, SHOT_NOISE = (0.2, 2.5), (0, 3.0)  # standard deviations in gray levels, shot at white
QUALITY = (70, 95)
INTERPOLATIONS = (cv2.INTER_LINEAR, cv2.INTER_CUBIC)


def camera_path(
    generator: np.random.Generator,
    samples: int | None = None,
    *,
    kinds: Mapping[str, float] = PATHS,
    lengths: tuple[float, float] = MOSTLY,
) -> np.ndarray:
    """Poses `[N, 4]` of a random kind, length (mostly in `lengths`) and N (or `samples`)."""
    kind = generator.choice(list(kinds), p=list(kinds.values()))
    if samples is None:
        few = kind == "shake" and generator.random() < FEW_SHARE
        numbers = np.arange(*(FEW_SAMPLES if few else SAMPLES), 2)
        numbers = np.append(numbers, numbers[-1] + 2)
        samples = int(generator.choice(numbers, p=1 / numbers / (1 / numbers).sum()))
    shifts = _shifts(kind, samples, generator)
    if generator.random() < MOSTLY_SHARE:
        length = np.exp(generator.uniform(*np.log(lengths)))
    else:
        length = generator.uniform(*STRONG)
    poses = np.zeros((samples, 4))
    poses[:, :2] = shifts * length / np.linalg.norm(np.diff(shifts, axis=0), axis=1).sum()
    if generator.random() < TURNING:
        scale = generator.random() * length / (STRONG[0] + 7) * np.array([ROLL, ZOOM])
        poses[:, 2:] = scale * _waves(samples, 1, generator)
    return poses - poses[samples // 2]


def _shifts(kind: str, samples: int, generator: np.random.Generator) -> np.ndarray:
    """A path `[samples, 2]` of any length and place."""
    time = np.linspace(0, 1, samples)[:, None]
    angle = generator.uniform(0, 2 * np.pi)
    line = time ** generator.uniform(0.7, 1.4) * (np.cos(angle), np.sin(angle))
    if kind == "shake":
        return shake_path(samples, generator)[:, :2]
    if kind == "smooth":
        return _waves(samples, 2, generator)
    if kind == "line":
        return line
    if kind == "arc":
        turned = angle + generator.uniform(0.3, 4) * time
        return np.hstack([np.cos(turned), generator.uniform(0.3, 1) * np.sin(turned)])
    if kind == "tremor":
        waves = [_waves(samples, generator.integers(3, 7), generator) for _ in range(2)]
        return generator.uniform(0, 1.5) * line + np.sum(waves, axis=0)
    # A walk, whose velocity forgets itself in a random time.
    keep = generator.uniform(0.5, 0.98) ** (16 / samples)
    velocity = generator.normal(size=(samples, 2))
    for before, now in zip(velocity, velocity[1:]):
        now *= np.sqrt(1 - keep**2)
        now += keep * before
    return velocity.cumsum(axis=0)


def _waves(samples: int, highest: int, generator: np.random.Generator) -> np.ndarray:
    """Two columns, each a drift and up to `highest` half waves of falling size."""
    time = np.linspace(-0.5, 0.5, samples)[:, None]
    path = generator.normal(size=2) * time
    for order in range(1, highest + 1):
        phase = 2 * np.pi * generator.random(2)
        path = path + generator.normal(size=2) * np.sin(np.pi * order * time + phase) * 0.35 / order
    return path


class Layer(NamedTuple):
    """A flat scene and how the camera moves before it.

    Attributes:
      light: float32 `[H + 2 MARGIN, W + 2 MARGIN, 4]`, three colours and opacity.
      poses: `[N, 4]`.
    """

    light: np.ndarray
    poses: np.ndarray


def expose(
    layers: list[Layer], samples: Iterable[int], size: tuple[int, int], interpolation: int
) -> np.ndarray:
    """The mean light `[H, W, 3]` of the layers, each over those before, at the given samples."""
    images = []
    for sample in samples:
        image = np.zeros((*size, 3), np.float32)
        for light, poses in layers:
            (look,) = transforms(poses[sample : sample + 1], size)
            seen = cv2.warpAffine(
                light,
                look,
                size[::-1],
                flags=interpolation | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REFLECT,
            )
            image += seen[..., 3:] * (seen[..., :3] - image)
        images.append(image)
    return np.clip(np.mean(images, axis=0), 0, 1)


def as_taken(image: np.ndarray, share: float, generator: np.random.Generator) -> np.ndarray:
    """The file, uint8: values in [0, 1], for a share with noise, and for a share through JPEG."""
    if generator.random() < share:
        read, shot = (generator.uniform(*scale) / 255 for scale in (READ_NOISE, SHOT_NOISE))
        image = image + generator.normal(size=image.shape) * np.sqrt(read**2 + shot**2 * image)
    image = np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8)
    if generator.random() < share:
        quality = int(generator.integers(QUALITY[0], QUALITY[1] + 1))
        _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]
    return image
