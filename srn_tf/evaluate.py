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

import dataclasses
from functools import partial

from srn_tf.common.cli import run
from srn_tf.common.errors import InputError
from srn_tf.common.flags import define_flags, given, read_flags
from srn_tf.common.options import PathText, one_of
from srn_tf.common.start import start_tensorflow
from srn_tf.evaluation.datasets import TEST_SETS, open_test_set
from srn_tf.training.configuration import BLUR_SUBSETS

_ABOUT = "; ".join(f"{name}: {test_set.about}" for name, test_set in TEST_SETS.items()) + "."


@dataclasses.dataclass(frozen=True)
class Flags:
    """What is scored against what.

    What is scored (one of them):
      run_dir: Run folder with the weights, or starter for those of the package.
      saved_model: Folder written by srn_tf.export, in place of --run_dir.
      predictions_dir: Folder of PNGs to score, in place of --run_dir, called SEQUENCE/NAME.png,
        SEQUENCE/blur/NAME.png or SEQUENCE_NAME.png after the blurred images, or NAME.png where no
        two of these have the same name.
      checkpoint: Which checkpoint of the run folder.

    Against what:
      data_dir: Folder (or list file) of image pairs, or of the benchmark.
      benchmark: The test set.
      split: Which part of the pairs of gopro.
      blur_subset: blur (plain mean of frames) or blur_gamma, where the data has both. Default: what
        the run was trained on; blur where that is not known.
      check: Score nothing: count the images of --benchmark in --data_dir, decode every file, and
        name what is missing or damaged. For gopro this is about GOPRO_Large.

    Output:
      output: Folder to write, outside of the data. Default:
        RUN_DIR/evaluation/SPLIT-SUBSET-CHECKPOINT (BENCHMARK-CHECKPOINT); without run folder
        results/evaluation/FOLDER/SPLIT-SUBSET, FOLDER being the name of the SavedModel or of the
        predictions.
    """

    data_dir: PathText
    run_dir: PathText | None = None
    saved_model: PathText | None = None
    predictions_dir: PathText | None = None
    checkpoint: str = one_of(("latest", "best"), "latest")
    benchmark: str = one_of(TEST_SETS, "gopro", about=_ABOUT)
    split: str | None = one_of(("train", "test"), "test")
    blur_subset: str | None = one_of(BLUR_SUBSETS, None)
    check: bool = False
    output: PathText | None = None


define_flags(Flags)


def main() -> None:
    """Evaluates, or checks, what the flags name."""
    flags, present = read_flags(Flags), given(Flags)
    sources = [name for name in ("run_dir", "saved_model", "predictions_dir") if name in present]
    if flags.check:
        from srn_tf.evaluation.checking import check

        others = [name for name in present if name not in ("check", "benchmark", "data_dir")]
        if others:
            raise InputError(f"--check does not go with --{others[0]}")
        check(flags.benchmark, flags.data_dir)
        return
    if len(sources) != 1:
        raise InputError("pass one of --run_dir, --saved_model and --predictions_dir")
    if "checkpoint" in present and not flags.run_dir:
        raise InputError("--checkpoint needs --run_dir")
    start_tensorflow()
    from srn_tf.evaluation import scoring

    split, subset = present.get("split"), present.get("blur_subset")
    if flags.benchmark == "gopro" and subset is None and flags.run_dir:
        subset = scoring.trained_subset(flags.run_dir)
    data = open_test_set(flags.benchmark, flags.data_dir, split, subset)
    if flags.run_dir:
        scoring.evaluate_run(flags.run_dir, data, flags.output, flags.checkpoint)
    elif flags.saved_model:
        scoring.evaluate_saved_model(flags.saved_model, data, flags.output)
    else:
        scoring.evaluate_predictions(flags.predictions_dir, data, flags.output)


script = partial(run, main)  # srn-evaluate

if __name__ == "__main__":
    script()
