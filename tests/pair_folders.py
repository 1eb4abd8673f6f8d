"""Folders of training pairs for tests; every pixel tells where it is from."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from srn_tf.data import Pair, find_pairs
from srn_tf.media.images import write_image


def coordinates(height: int, width: int, pair: int) -> np.ndarray:
    """An image whose pixel (y, x) is the colour (y, x, pair)."""
    y, x = np.mgrid[:height, :width]
    return np.stack([y, x, np.full_like(y, pair)], axis=-1).astype(np.uint8)


def write_pairs(root: Path, sizes: list[tuple[int, int]]) -> list[Pair]:
    """Writes a flat train split: blurred images of `coordinates`, the sharp ones 255 minus that."""
    for i, size in enumerate(sizes):
        write_image(root / f"train/blur/{i:06}.png", coordinates(*size, i))
        write_image(root / f"train/sharp/{i:06}.png", 255 - coordinates(*size, i))
    return find_pairs(root, "train")


@contextlib.contextmanager
def unreadable(name: str) -> Iterator[None]:
    """Inside, folders of that name may not be read; who runs as root may read all others."""
    iterdir = Path.iterdir

    def refused(folder):
        if folder.name == name:
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return iterdir(folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "iterdir", refused)
        yield
