"""What experiments write: tables, captions, strips of pictures; and the GFLOPs of a network."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from srn_tf.common.errors import InputError
from srn_tf.common.files import write_text, written_beside
from srn_tf.data import normal_form
from srn_tf.evaluation.metrics import psnr
from srn_tf.evaluation.protocol import TestData, TestImage
from srn_tf.evaluation.results import csv_text, markdown_table, rounded
from srn_tf.media.images import read_rgb
from srn_tf.training.configuration import TrainingConfig

_WIDTH = 3.2  # inches of each picture of a strip
_DPI = 200
# What the paper leaves open, or what differs between the networks of a table.
_OPEN_FIELDS = ("variant", "data_dir", "blur_subset", "seed", "decay_steps")


def write_tables(
    output: Path, name: str, header: Sequence[str], rows: Sequence[Sequence[str]], caption: str
) -> str:
    """Writes `output/NAME.md`, the table and its caption, and `output/NAME.csv`.

    Returns:
      The text of the former.
    """
    text = f"{markdown_table(header, rows)}\n\n{caption.rstrip()}\n"
    write_text(output / f"{name}.md", text)
    write_text(output / f"{name}.csv", csv_text([header, *rows]))
    return text


def scored_on(summary: dict) -> str:
    """On what an evaluation scored: "means over 2 test images of demo (blur), blurred 24.8 dB"."""
    baseline = summary["baseline"]
    return (
        f"means over {summary['images']} test images of {Path(summary['data_dir']).name} "
        f"({summary['blur_subset']}), blurred {rounded('psnr', baseline['psnr'])} dB, SSIM "
        f"{baseline['ssim_matlab']:.4f}"
    )


def reservation(training: dict, step: int) -> str:
    """What keeps scores from being comparable with the paper's; empty where nothing does.

    Args:
      training: the configuration, as config.json has it.
      step: of the weights that were scored.
    """
    changed = [
        f"{field.name} {training[field.name]} (paper {field.default})"
        for field in dataclasses.fields(TrainingConfig)
        if field.name not in _OPEN_FIELDS and training[field.name] != field.default
    ]
    if changed:
        return (
            "**These are demonstration scores: they prove the protocol, not the ordering of the "
            f"networks.** The recipe is not the paper's: {', '.join(changed)}."
        )
    if step < training["decay_steps"]:
        return f"The schedule is not finished: {step} of {training['decay_steps']} steps."
    return ""


def choose_images(data: TestData, names: Sequence[str] | None, count: int = 3) -> list[TestImage]:
    """The images of these names, or `count` evenly spaced ones.

    Raises:
      InputError: there is no image of that name.
    """
    images = {image.name: image for image in data.images}
    if not names:
        places = np.linspace(0, len(images) - 1, min(count, len(images))).astype(int)
        names = [list(images)[place] for place in places]
    for name in map(normal_form, names):
        if name not in images:
            raise InputError(
                f"{data.about['data_dir']} has no image {name!r}; "
                f"names are like {next(iter(images))!r}"
            )
    return [images[normal_form(name)] for name in names]


def write_strip(
    path: Path, images: Sequence[TestImage], predictions: dict[str, Callable[[TestImage], Path]]
) -> None:
    """Writes a row for each image: blurred, one column for each entry of `predictions`, sharp.

    The columns are labelled; below each picture stands its PSNR.
    """
    from matplotlib.figure import Figure

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


def gflops(model, height: int = 720, width: int = 1280) -> float:
    """10^9 floating-point operations of one image of that size, a multiply-add counted as two.

    Counts the convolutions and deconvolutions of the traced graph, all else is below 1%. Height and
    width are multiples of `size_multiple`. SRN needs 179.7 for 256x256 pixels.

    Args:
      model: as `build_model` returns it.
      height, width: of the image.
    """
    import tensorflow as tf

    image = tf.TensorSpec([1, height, width, model.variant.channels])
    operations = 0
    graph = tf.function(model, autograph=False).get_concrete_function(image).graph
    for op in graph.get_operations():
        if op.type == "Conv2D":
            positions = op.outputs[0].shape  # every output position takes the whole kernel once
        elif op.type == "Conv2DBackpropInput":  # a deconvolution: every input position does
            positions = op.inputs[2].shape
        else:
            continue
        kernel = op.inputs[1].shape  # [k, k, in, out]
        operations += 2 * positions[1] * positions[2] * kernel.num_elements()
    return operations / 1e9
