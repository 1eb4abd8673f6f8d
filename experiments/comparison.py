"""Table 2 and Fig. 5: networks and predictions of any method beside the published scores.

    python -m experiments.comparison --data_dir=.../GOPRO_Large \\
        --kohler_dir=.../Koehler --run=ours=runs/SRN \\
        --predictions=other=.../deblurred

Result: OUTPUT/table2.md, table2.csv and comparison.png (blurred, each method, sharp). The authors'
released `lstm` weights score 30.19 dB and 0.9334 on GoPro: a network for gray images with
TensorFlow 1's resizing. Nothing is published for the RGB network that is called SRN here.

Time: with all evaluations done, a minute. Deblurring GoPro's 1111 test images takes some 30 s each
on two cores, 1.87 s in the paper; Koehler's protocol a minute for each of its 48 images on one
core, as many at a time as there are cores.

Evaluations that are not finished are done here; those of run folders are where `srn_tf.evaluate`
puts them.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from absl import flags

from srn_tf.common.cli import run
from srn_tf.common.errors import InputError
from srn_tf.common.flags import define_flags
from srn_tf.common.folders import joined_inside
from srn_tf.common.options import PathText, one_of
from srn_tf.common.start import start_tensorflow
from srn_tf.training.configuration import BLUR_SUBSETS

if TYPE_CHECKING:
    from srn_tf.evaluation.protocol import TestData

COLUMNS = ("GoPro PSNR (dB)", "GoPro SSIM", "Koehler PSNR (dB)", "Koehler MSSIM", "time")
# Table 2 of the paper; times for one 1280x720 image.
PUBLISHED = {
    "Kim et al. (published)": ("23.64", "0.8239", "24.68", "0.7937", "1 hr"),
    "Sun et al. (published)": ("24.64", "0.8429", "25.22", "0.7735", "20 min"),
    "Nah et al. (published)": ("29.08", "0.9135", "26.48", "0.8079", "3.09 s"),
    "SRN (published)": ("30.26", "0.9342", "26.75", "0.8370", "1.87 s"),
}
CAPTION = (
    "Published: Table 2 of the paper (GoPro, 1111 test images, `blur`; a Titan X). The authors "
    "report 30.19 dB, 0.9334 for their released `lstm`, a network for gray images with TensorFlow "
    "1's resizing; the RGB network `SRN` of this package is another one, without published scores."
)


class Method(NamedTuple):
    """One measured row: a run folder, or folders of predictions for one test set or both."""

    run: str | None = None
    predictions: str | None = None
    kohler_predictions: str | None = None


def main() -> None:
    """Collects or makes the evaluations and writes tables and picture."""
    values = flags.FLAGS
    methods, output = _methods(), Path(values.output)
    start_tensorflow()
    from experiments.report import choose_images, write_strip, write_tables
    from srn_tf.evaluation.datasets import open_test_set

    subset, gopro, kohler = values.blur_subset, None, None
    if values.data_dir:
        gopro = open_test_set("gopro", values.data_dir, "test", subset)
    if values.kohler_dir:
        kohler = open_test_set("kohler", values.kohler_dir)
    images = choose_images(gopro, values.images) if gopro else []
    rows, lines, shown = list(PUBLISHED.items()), [CAPTION], {}
    for label, method in methods.items():
        print(f"\n{label}")
        scored = joined_inside(output / "evaluation", label)
        summaries = (
            _summary(method.run, method.predictions, gopro, scored),
            _summary(method.run, method.kohler_predictions, kohler, scored),
        )
        if not any(summaries):
            raise InputError(f"{label} is not evaluated: pass --data_dir, --kohler_dir or both")
        rows.append((label, _cells(*summaries)))
        lines.append(_line(label, *summaries))
        if gopro and summaries[0]:
            shown[label] = _predictions(method, gopro)
    header, body = ("method", *COLUMNS), [(label, *cells) for label, cells in rows]
    text = write_tables(output, "table2", header, body, "\n".join(lines))
    if gopro:
        write_strip(output / "comparison.png", images, shown)
    print(f"\n{text}{output}: written")


def _methods() -> dict[str, Method]:
    methods: dict[str, Method] = {}
    for name in Method._fields:
        for value in flags.FLAGS[name].value:
            label, equals, folder = value.partition("=")
            if not equals:
                label, folder = Path(value).resolve().name, value
            folder = os.path.expanduser(folder)
            method = methods.get(label, Method())
            if method.run or getattr(method, name):
                raise InputError(f"two methods are called {label!r}: label them, --{name}=A=DIR")
            methods[label] = method._replace(**{name: folder})
    if not methods:
        raise InputError("nothing to compare: pass --run, --predictions or --kohler_predictions")
    return methods


def _summary(
    run_dir: str | None, predictions: str | None, data: TestData | None, output: Path
) -> dict | None:
    """Of the run, or of the predictions; None where there is nothing to score."""
    from srn_tf.evaluation.scoring import evaluate_predictions, evaluate_run

    if data and run_dir:
        return evaluate_run(run_dir, data, checkpoint=flags.FLAGS.checkpoint)
    if data and predictions:
        return evaluate_predictions(predictions, data, output / data.tag)
    return None


def _predictions(method: Method, gopro: TestData) -> Callable:
    from srn_tf.evaluation.predictions import find_predictions
    from srn_tf.evaluation.scoring import prediction_path, run_output

    if method.run:
        output = run_output(method.run, gopro.tag, flags.FLAGS.checkpoint)
        return partial(prediction_path, output)
    paths = find_predictions(method.predictions, gopro)
    return lambda image: paths[image.name]


def _cells(gopro: dict | None, kohler: dict | None) -> tuple[str, ...]:
    from srn_tf.evaluation.results import rounded

    cells = ["-"] * len(COLUMNS)
    if gopro:
        mean = gopro["mean"]
        cells[:2] = [rounded(name, mean[name]) for name in ("psnr", "ssim_matlab")]
        if mean["seconds"] is not None:
            cells[4] = f"{mean['seconds']:.2f} s"
    if kohler:
        cells[2:4] = [rounded(name, kohler["mean"][name]) for name in ("psnr", "mssim")]
    return tuple(cells)


def _line(label: str, gopro: dict | None, kohler: dict | None) -> str:
    """What a measured row is: the published ones are always of the whole test sets."""
    parts, made_by = [], gopro or kohler
    if made_by.get("variant"):
        parts.append(f"{made_by['variant']} at step {made_by['step']}")
    if gopro:
        data = Path(gopro["data_dir"]).name
        parts.append(f"{gopro['images']} images of {data} ({gopro['blur_subset']})")
        if gopro["device"]:
            parts.append(f"timed on {gopro['device']}")
    if kohler:
        parts.append(f"{kohler['images']} images of Koehler's benchmark")
    return f"{label}: {', '.join(parts)}."


@dataclasses.dataclass(frozen=True)
class Flags:
    """What is compared.

    Methods (each may be repeated):
      run: LABEL=RUN_DIR: a run folder, or RUN_DIR alone.
      predictions: LABEL=DIR: predictions for the test images of --data_dir.
      kohler_predictions: LABEL=DIR: predictions for the test images of --kohler_dir.
      checkpoint: Which checkpoint of the run folders.

    Data:
      data_dir: Folder (or list file) of image pairs, GoPro.
      kohler_dir: Folder of Koehler's benchmark.
      blur_subset: Which blurred images of GoPro.

    Output:
      output: Folder to write.
      images: Test images to show, e.g. GOPR0384_11_00/000001. Default: three.
    """

    run: tuple[str, ...] = ()
    predictions: tuple[str, ...] = ()
    kohler_predictions: tuple[str, ...] = ()
    checkpoint: str = one_of(("latest", "best"), "latest")
    data_dir: PathText | None = None
    kohler_dir: PathText | None = None
    blur_subset: str = one_of(BLUR_SUBSETS, "blur")
    output: PathText = "results/comparison"
    images: list[str] | None = None


if __name__ == "__main__":
    define_flags(Flags)
    run(main)
