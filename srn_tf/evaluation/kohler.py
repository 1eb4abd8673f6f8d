"""Köhler's benchmark: 4 images, each shaken along 12 recorded camera paths.

Files are known by their names, i = 1..4 the image, j = 1..12 the trajectory, in whatever folder
below the data folder they lie:

- `Blurry{i}_{j}.png`, the 48 images to deblur;
- their ground truth, the sharp frames along the path (about 199), either `GroundTruth{i}_{j}.mat`
  with the variable `GroundTruth`, uint8 (H, W, 3, N), or `GroundTruth{i}_{j}_{k}.png`, k from 1.
  Where both are there, the .mat file is read.

Köhler et al., "Recording and Playback of Camera Shake: Benchmarking Blind Deconvolution with a
Real-World Database", ECCV 2012. `srn_tf.evaluation.kohler_scores` scores an image against its
frames.
"""

from __future__ import annotations

import collections
import os
import re
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from srn_tf.common.errors import InputError
from srn_tf.common.files import check_regular
from srn_tf.common.folders import files_below
from srn_tf.evaluation.metrics import KohlerScores, kohler_scores
from srn_tf.evaluation.protocol import TestImage, TestSet
from srn_tf.media.images import read_rgb

IMAGES, TRAJECTORIES = 4, 12
_NAME = re.compile(r"Blurry\d+_\d+\.png|GroundTruth(\d+)_(\d+)(?:\.mat|_(\d+)\.png)")


class KohlerSet(TestSet):
    """The 48 images, each with one .mat file or many PNG frames as its truth."""

    metrics = KohlerScores._fields[:2]

    def score(self, image: TestImage, candidates: Sequence[np.ndarray]) -> list[list[float]]:
        frames = read_frames(image)
        return [list(kohler_scores(candidate, frames)[:2]) for candidate in candidates]

    def size_of(self, path: Path) -> tuple[int, int]:
        return _mat_shape(path)[:2] if path.suffix == ".mat" else super().size_of(path)

    def survey(self, data_dir: str | os.PathLike) -> tuple[list[TestImage], list[str]]:
        files: dict[str, Path] = {}
        frames: dict[tuple, dict[int, Path]] = collections.defaultdict(dict)
        for path in files_below(data_dir):
            match = _NAME.fullmatch(path.name)
            if not match:
                continue
            if path.name in files:
                raise InputError(f"{path} is there twice, also as {files[path.name]}: remove one")
            files[path.name] = path
            if match[3]:
                frames[int(match[1]), int(match[2])][int(match[3])] = path
        images, missing = [], []
        for i, j in np.ndindex(IMAGES, TRAJECTORIES):
            i, j = i + 1, j + 1
            name, mat = f"Blurry{i}_{j}", files.get(f"GroundTruth{i}_{j}.mat")
            used = _used(i, j, max(frames[i, j], default=0))
            truth = (mat,) if mat else tuple(frames[i, j][k] for k in used if k in frames[i, j])
            if not truth:
                missing.append(f"GroundTruth{i}_{j} (.mat or _1.png, _2.png, ...)")
            elif not mat:
                missing += [f"GroundTruth{i}_{j}_{k}.png" for k in used if k not in frames[i, j]]
            if f"{name}.png" in files:
                images.append(TestImage(name, f"Image{i}", files[f"{name}.png"], truth))
            else:
                missing.append(f"{name}.png")
        return images, missing


def read_frames(image: TestImage) -> np.ndarray:
    """The sharp frames that the protocol uses: uint8 `[N, H, W, 3]` (some 380 MB).

    Raises:
      InputError: a file is unreadable, or the frames differ in size.
    """
    import scipy.io

    first = image.truth[0]
    if first.suffix == ".mat":
        _mat_shape(first)
        frames = np.moveaxis(_read_mat(first, scipy.io.loadmat)["GroundTruth"], 3, 0)
        used = _used(*map(int, re.findall(r"\d+", image.name)), len(frames))
        return frames if len(used) == len(frames) else frames[[k - 1 for k in used]]
    frames = np.empty((len(image.truth), *read_rgb(first).shape), np.uint8)
    for frame, path in zip(frames, image.truth):
        sharp = read_rgb(path)
        if sharp.shape != frame.shape:
            raise InputError(f"{path} differs in size from {first.name}")
        frame[:] = sharp
    return frames


def _used(image: int, trajectory: int, count: int) -> list[int]:
    """The numbers, from 1, of the frames that the protocol uses among `count`."""
    # The authors' script compares image 1, trajectory 3 with frames 1-29 and 31-198 only.
    left_out = (30, 199) if (image, trajectory) == (1, 3) else ()
    return [k for k in range(1, count + 1) if k not in left_out]


def _mat_shape(path: Path) -> tuple[int, ...]:
    """Shape (H, W, 3, N) of the variable `GroundTruth`, from the file's header."""
    import scipy.io

    for name, shape, kind in _read_mat(path, scipy.io.whosmat):
        if name == "GroundTruth":
            if kind != "uint8" or len(shape) != 4 or shape[2] != 3:
                raise InputError(
                    f"{path}: GroundTruth should be uint8 (H, W, 3, N). Received: {kind} {shape}"
                )
            return shape
    raise InputError(f"{path} has no variable GroundTruth")


def _read_mat(path: Path, reader: Callable) -> object:
    from scipy.io.matlab import MatReadError

    check_regular(path)
    try:
        return reader(path)
    except NotImplementedError:
        raise InputError(
            f"{path} is MATLAB 7.3 (HDF5): save it again in MATLAB with save(..., '-v7')"
        ) from None
    except (ValueError, TypeError, IndexError, OSError, MatReadError, zlib.error) as error:
        raise InputError(f"{path} is unreadable or truncated: {error}") from None
