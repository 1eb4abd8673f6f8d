"""A test set of three small images, a network for it, and reading what an evaluation wrote."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np

HEIGHT, WIDTH = 32, 48
NAMES = ["GOPR0001_07_00/000001", "GOPR0001_07_00/000002", "GOPR0002_11_00/000001"]


def pixels(name: str, folder: str) -> np.ndarray:
    """An image that is a function of its name and folder alone."""
    rng = np.random.default_rng([len(folder), *name.encode()])
    return rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def place(name: str, folder: str) -> str:
    """Where the image of that name is in GoPro's layout."""
    sequence, frame = name.split("/")
    return f"test/{sequence}/{folder}/{frame}.png"


def psnr_of(a: np.ndarray, b: np.ndarray) -> float:
    """In dB, from its definition."""
    return 10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2))


def png(path: Path) -> np.ndarray:
    """A PNG as RGB."""
    return cv2.imread(str(path))[..., ::-1]


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


class Halver:
    """Stands in for a network; knows what it was called with."""

    def __init__(self, divisor: int = 2):
        self.divisor = divisor
        self.calls: list[bytes] = []

    def __call__(self, image: np.ndarray) -> np.ndarray:
        self.calls.append(image.tobytes())
        return image // self.divisor
