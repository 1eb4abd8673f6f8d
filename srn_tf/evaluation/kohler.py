"""Finds and reads Köhler's benchmark: 4 images, each shaken along 12 recorded camera paths.

Files are known by their names, i = 1..4 the image, j = 1..12 the trajectory, in whatever folder
below `data_dir` they lie:

- `Blurry{i}_{j}.png`, the 48 images to deblur;
- their ground truth, the sharp frames along the path (about 199), either `GroundTruth{i}_{j}.mat`
  with the variable `GroundTruth`, uint8 (H, W, 3, N), or `GroundTruth{i}_{j}_{k}.png`, k from 1
  (usually in `Image{i}/Kernel{j}/`). Where both are there, the .mat file is read.

Köhler et al., "Recording and Playback of Camera Shake: Benchmarking Blind Deconvolution with a
Real-World Database", ECCV 2012. `srn_tf.evaluation.kohler_scores` scores an image against its
frames.
"""

from __future__ import annotations

import collections
import dataclasses
import os
import re
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import scipy.io
from scipy.io.matlab import MatReadError

from srn_tf.common.errors import InputError, named
from srn_tf.common.files import check_regular
from srn_tf.common.folders import files_below
from srn_tf.evaluation.benchmarks import Benchmark, BenchmarkImage
from srn_tf.evaluation.metrics import KohlerScores, kohler_scores
from srn_tf.media.images import image_size, read_rgb

IMAGES = 4
TRAJECTORIES = 12
SOURCE = (
    'Koehler et al., "Recording and Playback of Camera Shake" (ECCV 2012): '
    "https://webdav.tuebingen.mpg.de/pixel/benchmark4camerashake/"
)

_NAME = re.compile(r"Blurry\d+_\d+\.png|GroundTruth(\d+)_(\d+)(?:\.mat|_(\d+)\.png)")


@dataclasses.dataclass(frozen=True)
class KohlerImage:
    """One of the 48 blurred images with its ground truth, which is read when asked for.

    Attributes:
      name: `Blurry{i}_{j}`, the blurred file's stem.
      image: i, from 1.
      trajectory: j, from 1.
      blurred: path of the blurred PNG.
      ground_truth: path of the one .mat file, or of the PNG frames the protocol uses, in order.
    """

    name: str
    image: int
    trajectory: int
    blurred: Path
    ground_truth: tuple[Path, ...]

    def frames_shape(self) -> tuple[int, int, int, int]:
        """Shape (N, H, W, 3) of `frames()`, from the files' headers alone.

        Raises:
          InputError: a file is unreadable, or the frames differ in size.
        """
        first = self.ground_truth[0]
        if first.suffix == ".mat":
            *size, count = _mat_shape(first)
            return (len(self._used(count)), *size)
        height, width = image_size(first)
        for path in self.ground_truth:
            if image_size(path) != (height, width):
                raise InputError(f"{path} differs in size from {first.name}")
        return len(self.ground_truth), height, width, 3

    def frames(self) -> np.ndarray:
        """The sharp frames that the protocol uses: uint8 `[N, H, W, 3]` (some 380 MB).

        Raises:
          InputError: a file is unreadable, or the frames differ in size.
        """
        shape = self.frames_shape()
        first = self.ground_truth[0]
        if first.suffix == ".mat":
            frames = np.moveaxis(_read_mat(first, scipy.io.loadmat)["GroundTruth"], 3, 0)
            used = self._used(len(frames))
            return frames if len(used) == len(frames) else frames[used]
        frames = np.empty(shape, np.uint8)
        for frame, path in zip(frames, self.ground_truth):
            frame[:] = read_rgb(path)
        return frames

    def _used(self, count: int) -> list[int]:
        """Indices, from 0, of the frames that the protocol uses among `count`."""
        return [k - 1 for k in range(1, count + 1) if _is_used(self.image, self.trajectory, k)]


class KohlerBenchmark(Benchmark):
    """Köhler's 48 images; arguments and errors are those of `find_kohler`."""

    metrics = KohlerScores._fields[:2]
    layouts = "Blurry1_1.png ... Blurry4_12.png"
    published = "SRN (Table 2 of the paper): PSNR 26.75, MSSIM 0.8370"

    def __init__(self, data_dir: str | os.PathLike):
        self._kohler = {image.name: image for image in find_kohler(data_dir)}
        images = [
            BenchmarkImage(
                name,
                f"Image{image.image}",
                image.blurred,
                image.ground_truth,
                image_size(image.blurred),
            )
            for name, image in self._kohler.items()
        ]
        super().__init__(data_dir, images, "kohler", benchmark="kohler")

    def score(self, image: BenchmarkImage, candidates: Sequence[np.ndarray]) -> list[list[float]]:
        frames = self._kohler[image.name].frames()
        return [list(kohler_scores(candidate, frames)[:2]) for candidate in candidates]

    def places(self, image: BenchmarkImage) -> list[str]:
        return [f"{image.name}.png"]

    def ignores(self, path: Path, used: set[Path]) -> bool:
        return path.name.startswith("GroundTruth")


def find_kohler(data_dir: str | os.PathLike) -> list[KohlerImage]:
    """The benchmark's 48 images in the order of their numbers.

    Raises:
      InputError: `data_dir` is no folder, a file is there twice, or files are missing.
    """
    images, missing = survey_kohler(data_dir)
    if missing:
        raise InputError(
            f"{data_dir} lacks {named(missing)} of Koehler's benchmark; "
            f"`python -m data_tools.kohler --data_dir={data_dir}` lists all. Source: {SOURCE}"
        )
    return images


def survey_kohler(data_dir: str | os.PathLike) -> tuple[list[KohlerImage], list[str]]:
    """The images of the benchmark that are there whole, and the names of missing files.

    Raises:
      InputError: `data_dir` is no folder, or a file is there twice.
    """
    files = _files_by_name(data_dir)
    pngs = collections.defaultdict(dict)
    for name, path in files.items():
        image, trajectory, frame = _NAME.fullmatch(name).groups()
        if frame:
            pngs[int(image), int(trajectory)][int(frame)] = path
    images, missing = [], []
    for i in range(1, IMAGES + 1):
        for j in range(1, TRAJECTORIES + 1):
            name = f"Blurry{i}_{j}"
            blurred = files.get(f"{name}.png")
            mat = files.get(f"GroundTruth{i}_{j}.mat")
            truth, lacking = ((mat,), []) if mat else _png_frames(i, j, pngs[i, j])
            if blurred is None:
                lacking.insert(0, f"{name}.png")
            missing += lacking
            if not lacking:
                images.append(KohlerImage(name, i, j, blurred, truth))
    return images, missing


def _files_by_name(data_dir: str | os.PathLike) -> dict[str, Path]:
    if not Path(data_dir).is_dir():
        raise InputError(f"{data_dir} is not a folder")
    files = {}
    for path in files_below(data_dir):
        if _NAME.fullmatch(path.name):
            if path.name in files:
                raise InputError(f"{path} is there twice, also as {files[path.name]}: remove one")
            files[path.name] = path
    return files


def _png_frames(i: int, j: int, pngs: dict[int, Path]) -> tuple[tuple[Path, ...], list[str]]:
    """The frames that the protocol uses, and the names of those missing in the numbering."""
    if not pngs:
        return (), [f"GroundTruth{i}_{j} (.mat or _1.png, _2.png, ...)"]
    used = [k for k in range(1, max(pngs) + 1) if _is_used(i, j, k)]
    missing = [f"GroundTruth{i}_{j}_{k}.png" for k in used if k not in pngs]
    return tuple(pngs[k] for k in used if k in pngs), missing


def _is_used(image: int, trajectory: int, frame: int) -> bool:
    # The authors' script compares image 1, trajectory 3 with frames 1-29 and 31-198 only.
    return (image, trajectory) != (1, 3) or (frame != 30 and frame <= 198)


def _mat_shape(path: Path) -> tuple[int, ...]:
    """Shape (H, W, 3, N) of the variable `GroundTruth`, from the file's header."""
    for name, shape, kind in _read_mat(path, scipy.io.whosmat):
        if name == "GroundTruth":
            if kind != "uint8" or len(shape) != 4 or shape[2] != 3:
                raise InputError(
                    f"{path}: GroundTruth should be uint8 (H, W, 3, N). Received: {kind} {shape}"
                )
            return shape
    raise InputError(f"{path} has no variable GroundTruth")


def _read_mat(path: Path, reader: Callable) -> object:
    check_regular(path)
    try:
        return reader(path)
    except NotImplementedError:
        raise InputError(
            f"{path} is MATLAB 7.3 (HDF5): save it again in MATLAB with save(..., '-v7')"
        ) from None
    except (ValueError, TypeError, IndexError, OSError, MatReadError, zlib.error) as error:
        raise InputError(f"{path} is unreadable or truncated: {error}") from None
