"""Scores a network, or anybody's predictions, on a test set.

    python -m srn_tf.evaluate --run_dir=runs/SR-EDRB3 --data_dir=.../GOPRO_Large
    python -m srn_tf.evaluate --predictions_dir=deblurred --data_dir=.../GOPRO_Large
    python -m srn_tf.evaluate --run_dir=runs/SRN --benchmark=kohler --data_dir=.../Koehler

Writes the predictions as PNG, results.csv (one row per image, the last is the mean), the same for
the blurred images as baseline.csv, means per sequence and summary.json. The same command goes on
where an interrupted one stopped.
"""

from __future__ import annotations

from absl import flags

from srn_tf.common.cli import run
from srn_tf.common.errors import InputError
from srn_tf.evaluation.benchmarks import Benchmark
from srn_tf.evaluation.names import BENCHMARKS, open_benchmark
from srn_tf.evaluation.scoring import (
    evaluate_predictions,
    evaluate_run,
    evaluate_saved_model,
    trained_subset,
)
from srn_tf.training.configuration import BLUR_SUBSETS

RUN_DIR = flags.DEFINE_string("run_dir", None, "Run folder with the weights.")
SAVED_MODEL = flags.DEFINE_string(
    "saved_model", None, "Folder written by srn_tf.export, in place of --run_dir."
)
PREDICTIONS_DIR = flags.DEFINE_string(
    "predictions_dir",
    None,
    "Folder of PNGs to score, in place of --run_dir, called SEQ/NNNNNN.png, SEQ/blur/NNNNNN.png or "
    "SEQ_NNNNNN.png; for --benchmark=kohler Blurry1_1.png and so on, for hide the names of its "
    "images, for realblur sceneNNN_blur_K.png.",
)
DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Folder (or list file) of image pairs, or of the benchmark.", required=True
)
BENCHMARK = flags.DEFINE_enum(
    "benchmark",
    "gopro",
    list(BENCHMARKS),
    "; ".join(f"{name}: {about}" for name, about in BENCHMARKS.items()) + ".",
)
SPLIT = flags.DEFINE_enum("split", "test", ["train", "test"], "Which part of the pairs of gopro.")
BLUR_SUBSET = flags.DEFINE_enum(
    "blur_subset",
    None,
    BLUR_SUBSETS,
    "blur (plain mean of frames) or blur_gamma, where the data has both. Default: what the run was "
    "trained on; blur where that is not known.",
)
CHECKPOINT = flags.DEFINE_enum(
    "checkpoint", "latest", ["latest", "best"], "Which checkpoint of the run folder."
)
OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "Folder to write, outside of the data. Default: RUN_DIR/evaluation/SPLIT-SUBSET-CHECKPOINT "
    "(BENCHMARK-CHECKPOINT); without run folder results/evaluation/FOLDER/SPLIT-SUBSET, "
    "FOLDER being the name of the SavedModel or of the predictions.",
)


def main() -> None:
    """Evaluates what the flags name."""
    sources = (RUN_DIR, SAVED_MODEL, PREDICTIONS_DIR)
    if sum(flag.value is not None for flag in sources) != 1:
        raise InputError("pass one of --run_dir, --saved_model and --predictions_dir")
    if CHECKPOINT.present and RUN_DIR.value is None:
        raise InputError("--checkpoint needs --run_dir")
    if RUN_DIR.value is not None:
        evaluate_run(RUN_DIR.value, _benchmark(), OUTPUT.value, CHECKPOINT.value)
    elif SAVED_MODEL.value is not None:
        evaluate_saved_model(SAVED_MODEL.value, _benchmark(), OUTPUT.value)
    else:
        evaluate_predictions(PREDICTIONS_DIR.value, _benchmark(), OUTPUT.value)


def _benchmark() -> Benchmark:
    split, subset = (flag.value if flag.present else None for flag in (SPLIT, BLUR_SUBSET))
    if BENCHMARK.value == "gopro" and subset is None and RUN_DIR.value is not None:
        subset = trained_subset(RUN_DIR.value)
    return open_benchmark(BENCHMARK.value, DATA_DIR.value, split, subset)


if __name__ == "__main__":
    run(main)
