"""What is scored: the images of a test set, what they are compared with, and by which metrics.

    Benchmark           common to all
    OneTruthBenchmark   each blurred image has one sharp partner
    PairedBenchmark     pairs as `srn_tf.data.find_pairs` finds them (GoPro): PSNR and two SSIMs

The others have a file each; `srn_tf.evaluation.names` opens any of them by its name.
"""

from __future__ import annotations

import abc
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from srn_tf.data import Pair, find_pairs, fingerprint
from srn_tf.evaluation.metrics import Scores, scores
from srn_tf.media.images import read_rgb


class BenchmarkImage(NamedTuple):
    """One blurred image of a benchmark.

    Attributes:
      name: unique in the benchmark, such as "SEQUENCE/000047"; the prediction is NAME.png.
      sequence: what it is averaged with; may be empty.
      blurred: path of the blurred image.
      truth: paths of what it is compared with: the sharp image, or Köhler's frames.
      size: height and width in pixels.
    """

    name: str
    sequence: str
    blurred: Path
    truth: tuple[Path, ...]
    size: tuple[int, int]


class Benchmark(abc.ABC):
    """Common to all benchmarks.

    Args:
      data_dir: folder or list file of the data.
      images: the images to deblur and score.
      tag: says as the name of a folder what is scored.
      about: strings that say the same in result files.

    Attributes:
      identity: strings that tell these images from others, wherever they lie.
      metrics: names of the scores, in the order of `score`.
      layouts: how predictions may be called, in words.
      published: what is known of SRN's scores here, with the source; may be empty.
    """

    metrics: tuple[str, ...]
    layouts: str
    published: str = ""

    def __init__(
        self,
        data_dir: str | os.PathLike,
        images: list[BenchmarkImage],
        tag: str,
        **about: str,
    ):
        self.images = images
        self.tag = tag
        self.about = {"data_dir": str(Path(data_dir).resolve()), **about}
        files = [fingerprint(i.name, i.size, (i.blurred, *i.truth)) for i in images]
        digest = hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16]
        self.identity = {"images": digest, **about}

    @abc.abstractmethod
    def score(self, image: BenchmarkImage, candidates: Sequence[np.ndarray]) -> list[list[float]]:
        """The metrics of each candidate, uint8 `[H, W, 3]`, for `image`."""

    @abc.abstractmethod
    def places(self, image: BenchmarkImage) -> list[str]:
        """Where in a folder the prediction of `image` may be."""

    @abc.abstractmethod
    def ignores(self, path: Path, used: set[Path]) -> bool:
        """Whether an image beside the predictions `used` is no prediction and does not matter."""


class OneTruthBenchmark(Benchmark):
    """Each blurred image has one sharp partner and is scored by PSNR and two SSIMs.

    Attributes:
      folders: those of the data that hold images; beside predictions they do not matter.
    """

    metrics = Scores._fields
    folders: tuple[str, ...]

    def __init__(self, data_dir: str | os.PathLike, pairs: Iterable[Pair], tag: str, **about: str):
        images = [
            BenchmarkImage(pair.name, pair.sequence, pair.blurred, (pair.sharp,), pair.size)
            for pair in pairs
        ]
        super().__init__(data_dir, images, tag, **about)

    def score(self, image: BenchmarkImage, candidates: Sequence[np.ndarray]) -> list[list[float]]:
        (sharp_file,) = image.truth
        sharp = read_rgb(sharp_file)
        return [list(self.compare(candidate, sharp)) for candidate in candidates]

    def compare(self, deblurred: np.ndarray, sharp: np.ndarray) -> Sequence[float]:
        """The metrics of one pair, uint8 `[H, W, 3]`."""
        return scores(deblurred, sharp)

    def ignores(self, path: Path, used: set[Path]) -> bool:
        # The test set itself may be scored: then the other folders of the data are there too.
        in_use = {other.parent.name for other in used}
        return path.parent.name in self.folders and path.parent.name not in in_use


class PairedBenchmark(OneTruthBenchmark):
    """Blurred and sharp images in any layout of `find_pairs`; arguments and errors are its."""

    layouts = "SEQ/NNNNNN.png, SEQ/blur/NNNNNN.png or SEQ_NNNNNN.png"
    published = "SRN on GoPro (Table 2 of the paper): PSNR 30.26, SSIM (MATLAB) 0.9342"
    folders = ("blur", "blur_gamma", "sharp")

    def __init__(self, data_dir: str | os.PathLike, split: str = "test", blur_subset: str = "blur"):
        pairs = find_pairs(data_dir, split, blur_subset)
        about = {"benchmark": "gopro", "split": split, "blur_subset": blur_subset}
        super().__init__(data_dir, pairs, f"{split}-{blur_subset}", **about)

    def places(self, image: BenchmarkImage) -> list[str]:
        return sequence_places(image, ("", f"{self.about['blur_subset']}/", "blur/"))


def sequence_places(image: BenchmarkImage, folders: Sequence[str] = ("",)) -> list[str]:
    """Where the prediction of "SEQ/NAME" or "SEQ_NAME" may be: SEQ/[folder/]NAME.png, SEQ_NAME.png.

    Each of `folders` is empty or ends with a slash.
    """
    sequence = image.sequence
    stem = image.name[len(sequence) :].lstrip("/_-") or image.name
    places = [f"{image.name}.png"]
    if sequence:
        places += [f"{sequence}/{folder}{stem}.png" for folder in folders]
        places.append(f"{sequence.replace('/', '_')}_{stem}.png")
    return list(dict.fromkeys(places))
