"""Cameras as in GoPro and REDS: the path during an exposure, what is seen on it, what a file keeps.

Poses are `[N, 4]` as in `data_tools.scenes`: shift right and down in pixels, roll in radians, log
of zoom, with N odd and the middle one zero, so that the middle sample is the sharp image.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np

from data_tools.scenes import shake_path, transforms

PATHS = {"smooth": 0.35, "shake": 0.3, "line": 0.25, "arc": 0.1}  # kinds and their shares
LENGTHS = (1.0, 35.0)  # of a path in pixels, evenly in the logarithm
FRAMES = (7, 9, 11, 13)  # averaged in GoPro
EXPOSED_SHARE = 0.4  # of cameras whose frames are exposed three times as densely
TURNING = 0.4  # share with roll and zoom
ROLL, ZOOM = 1e-3, 3e-4  # greatest scale of the two, for each pixel of the path
READ_NOISE, SHOT_NOISE = (0.2, 2.5), (0, 3.0)  # standard deviations in gray levels, shot at white
QUALITY = (70, 95)  # of JPEG


def camera_path(generator: np.random.Generator, samples: int | None = None) -> np.ndarray:
    """Poses `[N, 4]` of a random kind and length; N as in GoPro unless `samples` is given."""
    if samples is None:
        samples = int(generator.choice(FRAMES))
        if generator.random() < EXPOSED_SHARE:
            samples = 3 * samples
    kind = generator.choice(list(PATHS), p=list(PATHS.values()))
    shifts = _shifts(kind, samples, generator)
    length = np.exp(generator.uniform(*np.log(LENGTHS)))
    poses = np.zeros((samples, 4))
    poses[:, :2] = shifts * length / np.linalg.norm(np.diff(shifts, axis=0), axis=1).sum()
    if generator.random() < TURNING:
        scale = generator.random() * length * np.array([ROLL, ZOOM])
        poses[:, 2:] = scale * _waves(samples, generator)
    return poses - poses[samples // 2]


def _shifts(kind: str, samples: int, generator: np.random.Generator) -> np.ndarray:
    """A path `[samples, 2]` of any length and place."""
    if kind == "shake":
        return shake_path(samples, generator)[:, :2]
    if kind == "smooth":
        return _waves(samples, generator)
    time, angle = np.linspace(0, 1, samples)[:, None], generator.uniform(0, 2 * np.pi)
    if kind == "line":
        return time ** generator.uniform(0.7, 1.4) * (np.cos(angle), np.sin(angle))
    turned = angle + generator.uniform(0.3, 4) * time
    return np.hstack([np.cos(turned), generator.uniform(0.3, 1) * np.sin(turned)])


def _waves(samples: int, generator: np.random.Generator) -> np.ndarray:
    """Two columns, each a drift and two slow half waves."""
    time = np.linspace(-0.5, 0.5, samples)[:, None]
    path = generator.normal(size=2) * time
    for order in (1, 2):
        phase = 2 * np.pi * generator.random(2)
        path = path + generator.normal(size=2) * np.sin(np.pi * order * time + phase) * 0.35 / order
    return path


class Layer(NamedTuple):
    """A flat part of a scene and how the camera moves before it.

    Attributes:
      light: float32 `[H + 2 MARGIN, W + 2 MARGIN, 4]`, three colours and opacity.
      poses: `[N, 4]`.
    """

    light: np.ndarray
    poses: np.ndarray


def expose(layers: list[Layer], samples: Iterable[int], size: tuple[int, int]) -> np.ndarray:
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
                flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REFLECT,
            )
            image += np.clip(seen[..., 3:], 0, 1) * (seen[..., :3] - image)
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
