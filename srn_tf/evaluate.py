"""Scores a network, or anybody's predictions, on a test set.

    python -m srn_tf.evaluate --run_dir=runs/SR-EDRB3 --data_dir=.../GOPRO_Large
    python -m srn_tf.evaluate --predictions_dir=deblurred \\
        --data_dir=.../GOPRO_Large
    python -m srn_tf.evaluate --run_dir=runs/SRN --benchmark=kohler \\
        --data_dir=.../Koehler
    python -m srn_tf.evaluate --check --benchmark=hide --data_dir=.../HIDE

Writes the predictions as PNG, results.csv (one row per image, the last is the mean), the same for
the blurred images as baseline.csv, means per sequence and summary.json. The same command resumes
an interrupted evaluation. With --check it only checks the download of a test set.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from srn_tf.common.cli import run
from srn_tf.common.errors import InputError
from srn_tf.common.flags import define
from srn_tf.common.start import start_tensorflow
from srn_tf.evaluation.datasets import TEST_SETS, open_test_set
from srn_tf.training.configuration import BLUR_SUBSETS

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
    "Folder of PNGs to score, in place of --run_dir, called SEQUENCE/NAME.png, "
    "SEQUENCE/blur/NAME.png or SEQUENCE_NAME.png after the blurred images, or NAME.png where no "
    "two of these have the same name.",
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
    "; ".join(f"{name}: {test_set.about}" for name, test_set in TEST_SETS.items()) + ".",
    group=_AGAINST,
    choices=tuple(TEST_SETS),
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
CHECK = define(
    "check",
    bool,
    False,
    "Score nothing: count the images of --benchmark in --data_dir, decode every file, and name "
    "what is missing or damaged. For gopro this is about GOPRO_Large.",
    group=_AGAINST,
)


def main() -> None:
    """Evaluates, or checks, what the flags name."""
    sources = [flag for flag in (RUN_DIR, SAVED_MODEL, PREDICTIONS_DIR) if flag.value is not None]
    name, data_dir = BENCHMARK.value, DATA_DIR.value
    if CHECK.value:
        from srn_tf.evaluation.checking import check

        given = [flag for flag in (CHECKPOINT, SPLIT, BLUR_SUBSET, OUTPUT) if flag.present]
        if sources + given:
            raise InputError(f"--check does not go with --{(sources + given)[0].name}")
        check(name, data_dir)
        return
    if len(sources) != 1:
        raise InputError("pass one of --run_dir, --saved_model and --predictions_dir")
    if CHECKPOINT.present and RUN_DIR.value is None:
        raise InputError("--checkpoint needs --run_dir")
    start_tensorflow()
    from srn_tf.evaluation import scoring

    split, subset = (flag.value if flag.present else None for flag in (SPLIT, BLUR_SUBSET))
    if name == "gopro" and subset is None and RUN_DIR.value is not None:
        subset = scoring.trained_subset(RUN_DIR.value)
    data = open_test_set(name, data_dir, split, subset)
    if RUN_DIR.value is not None:
        scoring.evaluate_run(RUN_DIR.value, data, OUTPUT.value, CHECKPOINT.value)
    elif SAVED_MODEL.value is not None:
        scoring.evaluate_saved_model(SAVED_MODEL.value, data, OUTPUT.value)
    else:
        scoring.evaluate_predictions(PREDICTIONS_DIR.value, data, OUTPUT.value)


script = partial(run, main)  # srn-evaluate

if __name__ == "__main__":
    script()
