"""Weights and images from a seed, as `network/recordings/README.md` describes them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

SEED = 2018


def weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Values for variables of these names (the authors') and shapes."""
    values = {}
    for i, name in enumerate(sorted(shapes)):
        value = 2 * np.random.default_rng([SEED, i]).random(shapes[name]) - 1
        if name.endswith("biases"):
            value *= 0.02
        else:
            height, width, *channels = shapes[name]
            value *= np.sqrt(6 / (height * width * sum(channels)))
            if name.endswith("conv2/weights"):
                value *= 0.2
        values[name] = value.astype(np.float32)
    return values


def sharp_images(shape: tuple[int, ...], key: int) -> np.ndarray:
    """uint8 `[..., H, W, 3]`: random colours in blocks of 4x4 pixels."""
    *lead, height, width, channels = shape
    shape = (*lead, height // 4, width // 4, channels)
    small = np.random.default_rng([SEED, 1000, key]).integers(0, 256, shape)
    return small.repeat(4, axis=-3).repeat(4, axis=-2).astype(np.uint8)


def blurred_images(sharp: np.ndarray) -> np.ndarray:
    """The mean over five neighbours along the width, wrapped around and rounded down."""
    shifted = [np.roll(sharp.astype(np.int64), shift, axis=-2) for shift in range(-2, 3)]
    return (sum(shifted) // 5).astype(np.uint8)
