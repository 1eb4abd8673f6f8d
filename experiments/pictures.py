"""Strips of pictures for the eye: blurred, deblurred in several ways, sharp."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from srn_tf.common.errors import InputError
from srn_tf.common.files import written_beside
from srn_tf.evaluation.benchmarks import BenchmarkImage, PairedBenchmark
from srn_tf.evaluation.metrics import psnr
from srn_tf.media.images import read_rgb

_WIDTH = 3.2  # inches of each picture
_DPI = 200


def choose_images(
    benchmark: PairedBenchmark, names: Sequence[str] | None, count: int = 3
) -> list[BenchmarkImage]:
    """The images of these names, or `count` evenly spaced ones.

    Raises:
      InputError: there is no image of that name.
    """
    images = {image.name: image for image in benchmark.images}
    if not names:
        places = np.linspace(0, len(images) - 1, min(count, len(images))).astype(int)
        names = [list(images)[place] for place in places]
    for name in names:
        if name not in images:
            raise InputError(
                f"{benchmark.about['data_dir']} has no image {name!r}; "
                f"names are like {next(iter(images))!r}"
            )
    return [images[name] for name in names]


def write_strip(
    path: Path,
    images: Sequence[BenchmarkImage],
    predictions: dict[str, Callable[[BenchmarkImage], Path]],
) -> None:
    """Writes a row for each image: blurred, one column for each entry of `predictions`, sharp.

    The columns are labelled; below each picture stands its PSNR.
    """
    rows = []
    for image in images:
        files = [predicted(image) for predicted in predictions.values()]
        rows.append([read_rgb(file) for file in (image.blurred, *files, image.truth[0])])
    titles = ["blurred", *predictions, "sharp"]
    heights = [_WIDTH * row[0].shape[0] / row[0].shape[1] + 0.3 for row in rows]
    figure = Figure(figsize=(_WIDTH * len(titles), sum(heights) + 0.3), layout="constrained")
    grid = figure.subplots(len(rows), len(titles), squeeze=False, height_ratios=heights)
    for axes, row, image in zip(grid, rows, images):
        for axis, picture in zip(axes, row):
            axis.imshow(picture)
            axis.set(xticks=[], yticks=[])
            axis.set_xlabel(f"{psnr(picture, row[-1]):.2f} dB" if picture is not row[-1] else "")
        axes[0].set_ylabel(image.name, fontsize=8)
    for axis, title in zip(grid[0], titles):
        axis.set_title(title)
    with written_beside(path) as temporary:
        figure.savefig(temporary, dpi=_DPI)
