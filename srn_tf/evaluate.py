"""Scores a network, or anybody's predictions, on a test set.

    python -m srn_tf.evaluate --run_dir=runs/SR-EDRB3 --data_dir=.../GOPRO_Large
    python -m srn_tf.evaluate --predictions_dir=deblurred \\
        --data_dir=.../GOPRO_Large
    python -m srn_tf.evaluate --run_dir=runs/SRN --benchmark=kohler \\
        --data_dir=.../Koehler

Writes the predictions as PNG, results.csv (one row per image, the last is the mean), the same for
the blurred images as baseline.csv, means per sequence and summary.json. The same command goes on
where an interrupted one stopped.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from srn_tf.common.cli import run
from srn_tf.common.errors import InputError
from srn_tf.common.flags import define
from srn_tf.common.start import start_tensorflow
from srn_tf.evaluation.names import BENCHMARKS, check_arguments, open_benchmark
from srn_tf.training.configuration import BLUR_SUBSETS

if TYPE_CHECKING:
    from srn_tf.evaluation.benchmarks import Benchmark

_SCORED, _AGAINST, _OUTPUT = "What is scored (one of them)", "Against what", "Output"
RUN_DIR = define("run_dir", Path, None, "Run folder with the weights.", group=_SCORED)
SAVED_MODEL = define(
    "saved_model",
    Path,
    None,
    "Folder written by srn_tf.export, in place of --run_dir.",
    group=_SCORED,
)
PREDICTIONS_DIR = define(
    "predictions_dir",
    Path,
    None,
    "Folder of PNGs to score, in place of --run_dir, called SEQ/NNNNNN.png, SEQ/blur/NNNNNN.png or "
    "SEQ_NNNNNN.png; for --benchmark=kohler Blurry1_1.png and so on, for hide the names of its "
    "images, for realblur sceneNNN_blur_K.png.",
    group=_SCORED,
)
CHECKPOINT = define(
    "checkpoint",
    str,
    "latest",
    "Which checkpoint of the run folder.",
    group=_SCORED,
    choices=("latest", "best"),
)
DATA_DIR = define(
    "data_dir",
    Path,
    None,
    "Folder (or list file) of image pairs, or of the benchmark.",
    group=_AGAINST,
    required=True,
)
BENCHMARK = define(
    "benchmark",
    str,
    "gopro",
    "; ".join(f"{name}: {about}" for name, about in BENCHMARKS.items()) + ".",
    group=_AGAINST,
    choices=tuple(BENCHMARKS),
)
SPLIT = define(
    "split",
    str,
    "test",
    "Which part of the pairs of gopro.",
    group=_AGAINST,
    choices=("train", "test"),
)
BLUR_SUBSET = define(
    "blur_subset",
    str,
    None,
    "blur (plain mean of frames) or blur_gamma, where the data has both. Default: what the run was "
    "trained on; blur where that is not known.",
    group=_AGAINST,
    choices=BLUR_SUBSETS,
)
OUTPUT = define(
    "output",
    Path,
    None,
    "Folder to write, outside of the data. Default: RUN_DIR/evaluation/SPLIT-SUBSET-CHECKPOINT "
    "(BENCHMARK-CHECKPOINT); without run folder results/evaluation/FOLDER/SPLIT-SUBSET, "
    "FOLDER being the name of the SavedModel or of the predictions.",
    group=_OUTPUT,
)


def main() -> None:
    """Evaluates what the flags name."""
    sources = (RUN_DIR, SAVED_MODEL, PREDICTIONS_DIR)
    if sum(flag.value is not None for flag in sources) != 1:
        raise InputError("pass one of --run_dir, --saved_model and --predictions_dir")
    if CHECKPOINT.present and RUN_DIR.value is None:
        raise InputError("--checkpoint needs --run_dir")
    check_arguments(BENCHMARK.value, *_arguments())
    start_tensorflow()
    from srn_tf.evaluation.scoring import (
        evaluate_predictions,
        evaluate_run,
        evaluate_saved_model,
    )

    if RUN_DIR.value is not None:
        evaluate_run(RUN_DIR.value, _benchmark(), OUTPUT.value, CHECKPOINT.value)
    elif SAVED_MODEL.value is not None:
        evaluate_saved_model(SAVED_MODEL.value, _benchmark(), OUTPUT.value)
    else:
        evaluate_predictions(PREDICTIONS_DIR.value, _benchmark(), OUTPUT.value)


def _arguments() -> tuple[str | None, str | None]:
    split, subset = (flag.value if flag.present else None for flag in (SPLIT, BLUR_SUBSET))
    return split, subset


def _benchmark() -> Benchmark:
    split, subset = _arguments()
    if BENCHMARK.value == "gopro" and subset is None and RUN_DIR.value is not None:
        from srn_tf.evaluation.scoring import trained_subset

        subset = trained_subset(RUN_DIR.value)
    return open_benchmark(BENCHMARK.value, DATA_DIR.value, split, subset)


script = partial(run, main)  # srn-evaluate

if __name__ == "__main__":
    script()
