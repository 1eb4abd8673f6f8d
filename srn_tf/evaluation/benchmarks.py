"""What is scored: the images of a test set, what they are compared with, and by which metrics.

    PairedBenchmark   pairs as `srn_tf.data.find_pairs` finds them (GoPro): PSNR and two SSIMs
    KohlerBenchmark   Köhler's 48 images under their authors' protocol: PSNR and MSSIM

Both also know how predictions made by anybody else may be called, see `find_predictions`.
"""

from __future__ import annotations

import abc
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from srn_tf.common.errors import InputError
from srn_tf.common.images import image_size, is_image, read_rgb
from srn_tf.data import find_pairs
from srn_tf.evaluation.kohler import find_kohler
from srn_tf.evaluation.metrics import KohlerScores, Scores, kohler_scores, scores

BENCHMARKS = ("gopro", "kohler")
_SUBSETS = ("blur", "blur_gamma", "sharp")  # the folders of a sequence in GOPRO_Large


class BenchmarkImage(NamedTuple):
    """One blurred image of a benchmark.

    Attributes:
      name: unique in the benchmark, such as "SEQUENCE/000047"; the prediction is NAME.png.
      sequence: what it is averaged with; may be empty.
      blurred: path of the blurred image.
      size: height and width in pixels.
      truth: the `Pair` or `KohlerImage` it stands for.
    """

    name: str
    sequence: str
    blurred: Path
    size: tuple[int, int]
    truth: Any


class Benchmark(abc.ABC):
    """Common to both benchmarks.

    Attributes:
      images: the images to deblur and score.
      about: JSON types that tell in result files what was scored.
      tag: the same as a folder name.
      metrics: names of the scores, in the order of `score`.
      layouts: how predictions may be called, in words.
    """

    metrics: tuple[str, ...]
    layouts: str

    def __init__(self, images: list[BenchmarkImage], tag: str, **about: str):
        self.images = images
        self.tag = tag
        self.about = about

    @abc.abstractmethod
    def score(self, image: BenchmarkImage, candidates: Sequence[np.ndarray]) -> list[list[float]]:
        """The metrics of each candidate, uint8 `[H, W, 3]`, for `image`."""

    @abc.abstractmethod
    def truth_files(self, image: BenchmarkImage) -> Sequence[Path]:
        """The files with which `image` is compared."""

    @abc.abstractmethod
    def places(self, image: BenchmarkImage) -> list[str]:
        """Where in a folder the prediction of `image` may be."""

    @abc.abstractmethod
    def ignores(self, path: Path, used: set[Path]) -> bool:
        """Whether an image beside the predictions `used` is no prediction and does not matter."""


class PairedBenchmark(Benchmark):
    """Blurred and sharp images in any layout of `find_pairs`; arguments and errors are its."""

    metrics = Scores._fields
    layouts = "SEQ/NNNNNN.png, SEQ/blur/NNNNNN.png or SEQ_NNNNNN.png"

    def __init__(self, data_dir: str | os.PathLike, split: str = "test", blur_subset: str = "blur"):
        images = [
            BenchmarkImage(pair.name, pair.sequence, pair.blurred, pair.size, pair)
            for pair in find_pairs(data_dir, split, blur_subset)
        ]
        super().__init__(
            images,
            f"{split}-{blur_subset}",
            benchmark="gopro",
            data_dir=str(Path(data_dir).resolve()),
            split=split,
            blur_subset=blur_subset,
        )

    def score(self, image: BenchmarkImage, candidates: Sequence[np.ndarray]) -> list[list[float]]:
        sharp = read_rgb(image.truth.sharp)
        return [list(scores(candidate, sharp)) for candidate in candidates]

    def truth_files(self, image: BenchmarkImage) -> Sequence[Path]:
        return [image.truth.sharp]

    def places(self, image: BenchmarkImage) -> list[str]:
        stem = image.name[len(image.sequence) :].lstrip("/_-") or image.name
        places = [f"{image.name}.png"]
        if image.sequence:
            folders = ("", f"{self.about['blur_subset']}/", "blur/")
            places += [f"{image.sequence}/{folder}{stem}.png" for folder in folders]
            places.append(f"{image.sequence.replace('/', '_')}_{stem}.png")
        return list(dict.fromkeys(places))

    def ignores(self, path: Path, used: set[Path]) -> bool:
        # The test set itself may be scored: then the other folders of a sequence are there too.
        in_use = {other.parent.name for other in used}
        return path.parent.name in _SUBSETS and path.parent.name not in in_use


class KohlerBenchmark(Benchmark):
    """Köhler's 48 images; arguments and errors are those of `find_kohler`."""

    metrics = KohlerScores._fields[:2]
    layouts = "Blurry1_1.png ... Blurry4_12.png"

    def __init__(self, data_dir: str | os.PathLike):
        images = [
            BenchmarkImage(
                image.name, f"Image{image.image}", image.blurred, image_size(image.blurred), image
            )
            for image in find_kohler(data_dir)
        ]
        data_dir = str(Path(data_dir).resolve())
        super().__init__(images, "kohler", benchmark="kohler", data_dir=data_dir)

    def score(self, image: BenchmarkImage, candidates: Sequence[np.ndarray]) -> list[list[float]]:
        frames = image.truth.frames()
        return [list(kohler_scores(candidate, frames)[:2]) for candidate in candidates]

    def truth_files(self, image: BenchmarkImage) -> Sequence[Path]:
        return image.truth.ground_truth

    def places(self, image: BenchmarkImage) -> list[str]:
        return [f"{image.name}.png"]

    def ignores(self, path: Path, used: set[Path]) -> bool:
        return path.name.startswith("GroundTruth")


def find_predictions(folder: str | os.PathLike, benchmark: Benchmark) -> dict[str, Path]:
    """The deblurred images in a folder that anybody filled, by the name of the blurred one.

    Raises:
      InputError: a prediction is missing, there twice or of another size than its blurred image,
        or an image belongs to none of the benchmark. The message names the file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder of predictions")
    predictions, missing = {}, []
    for image in benchmark.images:
        there = [place for place in benchmark.places(image) if (folder / place).is_file()]
        if not there:
            missing.append(image.name)
        elif len(there) > 1 and not all(Path(place).parent.name in _SUBSETS for place in there):
            raise InputError(f"{folder} has two predictions of {image.name}: {' and '.join(there)}")
        else:
            predictions[image.name] = folder / there[0]
    _check_rest(folder, benchmark, set(predictions.values()))
    if missing:
        raise InputError(
            f"{folder} has no prediction of {', '.join(missing[:3])}"
            + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
            + f"; predictions are called {benchmark.layouts}"
        )
    with ThreadPoolExecutor() as pool:
        sizes = pool.map(image_size, predictions.values())
    for image, size in zip(benchmark.images, sizes):
        if size != image.size:
            raise InputError(
                f"{predictions[image.name]} is {size[1]}x{size[0]} pixels, "
                f"{image.blurred} is {image.size[1]}x{image.size[0]}"
            )
    return predictions


def _check_rest(folder: Path, benchmark: Benchmark, used: set[Path]) -> None:
    for path in sorted(folder.rglob("*")):
        known = path in used or path.name.startswith(".") or not is_image(path)
        if not known and not benchmark.ignores(path, used):
            raise InputError(
                f"{path} is the prediction of no image of {benchmark.about['data_dir']}: "
                f"predictions are called {benchmark.layouts}"
            )
