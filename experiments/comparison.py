"""Table 2 and Fig. 5: networks and predictions of any method beside the published scores.

    python -m experiments.comparison --data_dir=.../GOPRO_Large \\
        --kohler_dir=.../Koehler --run=ours=runs/SRN \\
        --predictions=other=.../deblurred

Result: OUTPUT/table2.md, table2.csv and comparison.png (blurred, each method, sharp). The authors'
released `lstm` weights score 30.19 dB and 0.9334 on GoPro.

Time: with all evaluations done, a minute. Deblurring GoPro's 1111 test images takes some 30 s each
on two cores, 1.87 s in the paper; Koehler's protocol a minute for each of its 48 images on one
core, as many at a time as there are cores.

Evaluations that are not done, or not finished, are done here if the data are given; without data
the results are read from where `srn_tf.evaluate` writes them by default.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from srn_tf.common.cli import run
from srn_tf.common.errors import InputError
from srn_tf.common.flags import define
from srn_tf.common.folders import joined_inside
from srn_tf.training.configuration import BLUR_SUBSETS

if TYPE_CHECKING:
    from srn_tf.evaluation.benchmarks import Benchmark, PairedBenchmark

_METHODS, _DATA, _OUTPUT = "Methods (each may be repeated)", "Data", "Output"
RUN = define("run", tuple, [], "LABEL=RUN_DIR: a run folder, or RUN_DIR alone.", group=_METHODS)
PREDICTIONS = define(
    "predictions",
    tuple,
    [],
    "LABEL=DIR: predictions for the test images of --data_dir.",
    group=_METHODS,
)
KOHLER_PREDICTIONS = define(
    "kohler_predictions",
    tuple,
    [],
    "LABEL=DIR: predictions for Koehler's images.",
    group=_METHODS,
)
CHECKPOINT = define(
    "checkpoint",
    str,
    "latest",
    "Which checkpoint of the run folders.",
    group=_METHODS,
    choices=("latest", "best"),
)
DATA_DIR = define(
    "data_dir", Path, None, "Folder (or list file) of image pairs, GoPro.", group=_DATA
)
KOHLER_DIR = define("kohler_dir", Path, None, "Folder of Koehler's benchmark.", group=_DATA)
BLUR_SUBSET = define(
    "blur_subset",
    str,
    "blur",
    "Which blurred images of GoPro.",
    group=_DATA,
    choices=BLUR_SUBSETS,
)
OUTPUT = define("output", Path, "results/comparison", "Folder to write.", group=_OUTPUT)
IMAGES = define(
    "images",
    list,
    None,
    "Test images to show, e.g. GOPR0384_11_00/000001. Default: three.",
    group=_OUTPUT,
)

COLUMNS = ("GoPro PSNR (dB)", "GoPro SSIM", "Koehler PSNR (dB)", "Koehler MSSIM", "time")
# Table 2 of the paper; times for one 1280x720 image.
PUBLISHED = {
    "Kim et al. (published)": ("23.64", "0.8239", "24.68", "0.7937", "1 hr"),
    "Sun et al. (published)": ("24.64", "0.8429", "25.22", "0.7735", "20 min"),
    "Nah et al. (published)": ("29.08", "0.9135", "26.48", "0.8079", "3.09 s"),
    "SRN (published)": ("30.26", "0.9342", "26.75", "0.8370", "1.87 s"),
}


class Method(NamedTuple):
    """One measured row: a run folder, or folders of predictions for one benchmark or both."""

    run_dir: str | None = None
    predictions: str | None = None
    kohler_predictions: str | None = None


def main() -> None:
    """Collects or makes the evaluations and writes tables and picture."""
    methods, output = _methods(), Path(OUTPUT.value)
    from experiments.pictures import choose_images, write_strip
    from srn_tf.evaluation.benchmarks import PairedBenchmark
    from srn_tf.evaluation.kohler import KohlerBenchmark

    gopro = PairedBenchmark(DATA_DIR.value, "test", BLUR_SUBSET.value) if DATA_DIR.value else None
    kohler = KohlerBenchmark(KOHLER_DIR.value) if KOHLER_DIR.value else None
    images = choose_images(gopro, IMAGES.value) if gopro else []
    tag = f"test-{BLUR_SUBSET.value}"
    summaries = {}
    for label, method in methods.items():
        print(f"\n{label}")
        scored = joined_inside(output / "evaluation", label)
        summaries[label] = (
            _summary(method.run_dir, method.predictions, gopro, tag, scored / tag),
            _summary(
                method.run_dir, method.kohler_predictions, kohler, "kohler", scored / "kohler"
            ),
        )
        if not any(summaries[label]):
            raise InputError(f"{label} is not evaluated: pass --data_dir, --kohler_dir or both")
    text = _write_tables(summaries, output)
    if gopro:
        shown = {
            label: _predictions(method, gopro)
            for label, method in methods.items()
            if method.run_dir or method.predictions
        }
        write_strip(output / "comparison.png", images, shown)
    print(f"\n{text}{output}: written")


def _methods() -> dict[str, Method]:
    methods: dict[str, Method] = {}
    given = {"run_dir": RUN, "predictions": PREDICTIONS, "kohler_predictions": KOHLER_PREDICTIONS}
    for field, flag in given.items():
        for value in flag.value:
            label, equals, folder = value.partition("=")
            if not equals:
                label, folder = Path(value).resolve().name, value
            method = methods.get(label, Method())
            if method.run_dir or getattr(method, field):
                raise InputError(
                    f"two methods are called {label!r}: label them, --{flag.name}=A=DIR"
                )
            methods[label] = method._replace(**{field: folder})
    if not methods:
        raise InputError("nothing to compare: pass --run, --predictions or --kohler_predictions")
    return methods


def _summary(
    run_dir: str | None,
    predictions: str | None,
    benchmark: Benchmark | None,
    tag: str,
    output: Path,
) -> dict | None:
    """Of the run, or of the predictions; None where it was not evaluated and cannot be."""
    from srn_tf.evaluation.results import read_summary
    from srn_tf.evaluation.scoring import (
        evaluate_predictions,
        evaluate_run,
        other_output,
        run_output,
    )
    from srn_tf.weights.starter import is_starter

    is_shipped = run_dir is not None and is_starter(run_dir)
    for folder in filter(None, (None if is_shipped else run_dir, predictions)):
        if not Path(folder).is_dir():
            raise InputError(f"{folder} is not a folder")
    if run_dir:
        if benchmark:
            return evaluate_run(run_dir, benchmark, checkpoint=CHECKPOINT.value)
        return read_summary(run_output(run_dir, tag, CHECKPOINT.value))
    if predictions and benchmark:
        return evaluate_predictions(predictions, benchmark, output)
    if predictions:
        for folder in (output, other_output(predictions, tag)):
            summary = read_summary(folder)
            if summary and summary.get("predictions_dir") == str(Path(predictions).resolve()):
                return summary
    return None


def _predictions(method: Method, gopro: PairedBenchmark) -> Callable:
    from srn_tf.evaluation.predictions import find_predictions
    from srn_tf.evaluation.scoring import run_output
    from srn_tf.evaluation.sources import prediction_path

    if method.run_dir:
        return partial(prediction_path, run_output(method.run_dir, gopro.tag, CHECKPOINT.value))
    paths = find_predictions(method.predictions, gopro)
    return lambda image: paths[image.name]


def _write_tables(summaries: dict[str, tuple], output: Path) -> str:
    from experiments.tables import write_tables

    measured = {label: _cells(*pair) for label, pair in summaries.items()}
    rows = [(label, *cells) for label, cells in {**PUBLISHED, **measured}.items()]
    return write_tables(output, "table2", ("method", *COLUMNS), rows, _caption(summaries))


def _cells(gopro: dict | None, kohler: dict | None) -> tuple[str, ...]:
    from srn_tf.evaluation.results import number

    cells = ["-"] * len(COLUMNS)
    if gopro:
        mean = gopro["mean"]
        cells[:2] = [number(name, mean[name]) for name in ("psnr", "ssim_matlab")]
        if mean["seconds"] is not None:
            cells[4] = f"{mean['seconds']:.2f} s"
    if kohler:
        cells[2:4] = [number(name, kohler["mean"][name]) for name in ("psnr", "mssim")]
    return tuple(cells)


def _caption(summaries: dict[str, tuple]) -> str:
    """What the measured rows are: the published ones are always of the whole benchmarks."""
    lines = ["Published: Table 2 of the paper (GoPro, 1111 test images, `blur`; a Titan X)."]
    for label, (gopro, kohler) in summaries.items():
        parts = []
        if gopro:
            data = Path(gopro["data_dir"]).name
            parts.append(f"{gopro['images']} images of {data} ({gopro['blur_subset']})")
            if gopro["device"]:
                parts.append(f"timed on {gopro['device']}")
        if kohler:
            parts.append(f"{kohler['images']} images of Koehler's benchmark")
        made_by = (gopro or kohler or {}).get("variant")
        if made_by:
            parts.insert(0, f"{made_by} at step {(gopro or kohler)['step']}")
        lines.append(f"{label}: {', '.join(parts) or 'not evaluated'}.")
    return "\n".join(lines)


if __name__ == "__main__":
    run(main)
