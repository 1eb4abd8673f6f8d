"""Finds the predictions of a benchmark in a folder that anybody filled."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from srn_tf.common.errors import InputError, named
from srn_tf.common.folders import files_below
from srn_tf.evaluation.benchmarks import Benchmark
from srn_tf.media.images import image_size, is_image


def find_predictions(folder: str | os.PathLike, benchmark: Benchmark) -> dict[str, Path]:
    """The deblurred images in a folder, by the name of the blurred one.

    Raises:
      InputError: a prediction is missing, there twice or of another size than its blurred image,
        an image belongs to none of the benchmark, or a folder is unreadable. The message names it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder of predictions")
    predictions, missing = {}, []
    for image in benchmark.images:
        there = [folder / place for place in benchmark.places(image) if (folder / place).exists()]
        if not there:
            missing.append(image.name)
        # The blurred images themselves may be scored; a sequence has several folders of images.
        elif len(there) > 1 and not all(benchmark.ignores(path, set()) for path in there):
            names = " and ".join(path.relative_to(folder).as_posix() for path in there)
            raise InputError(f"{folder} has two predictions of {image.name}: {names}")
        else:
            predictions[image.name] = there[0]
    _check_rest(folder, benchmark, set(predictions.values()))
    if missing:
        raise InputError(
            f"{folder} has no prediction of {named(missing)}; "
            f"predictions are called {benchmark.layouts}"
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
    for path in files_below(folder):
        if path not in used and is_image(path) and not benchmark.ignores(path, used):
            raise InputError(
                f"{path} is the prediction of no image of {benchmark.about['data_dir']}: "
                f"predictions are called {benchmark.layouts}"
            )
