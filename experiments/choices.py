"""Sec. 3.1 and 3.3: recurrent cells, operators for upsampling and losses that the paper names.

    python -m experiments.choices --data_dir=.../GOPRO_Large
    python -m experiments.choices --data_dir=data/demo --preset=demo

The first is the paper's recipe. Result: OUTPUT/choices.md and choices.csv, a row for each answer to
each question. The paper prints no numbers for them but those of the vanilla RNN (29.35 dB, ConvLSTM
29.98); it takes bilinear upsampling and L2 alone, which it found to be enough.

Time: the demo takes about three quarters of an hour on two cores, most of it for the losses: the
discriminator needs crops of 256 pixels, so with smaller ones all three losses are trained with
such crops, one to a batch. The paper trained one network for three days on a GPU.

Networks found in --runs (by default those of the ablation), trained with the same flags, are used
as they are, the others are trained there. The same command goes on where it was stopped.
"""

from __future__ import annotations

from pathlib import Path

from experiments import runs
from experiments.section3 import QUESTIONS, Row, configuration, run_name, write_table
from srn_tf.common.cli import run
from srn_tf.common.errors import InputError
from srn_tf.common.flags import define

_GROUP = "Choices"
RUNS = define(
    "runs",
    Path,
    "results/ablation/runs",
    "Folder of the run folders, one for each network and recipe.",
    group=_GROUP,
)
OUTPUT = define("output", Path, "results/choices", "Folder of the table.", group=_GROUP)
CHOSEN = define(
    "questions",
    list,
    None,
    f"Which are asked, with commas between, of {', '.join(QUESTIONS)}. Default: all.",
    group=_GROUP,
)
runs.define_training_flags()


def main() -> None:
    """Trains and scores what is not done yet, and writes the table."""
    questions = CHOSEN.value or list(QUESTIONS)
    for question in questions:
        if question not in QUESTIONS:
            raise InputError(f"--questions: {question!r} is none of {', '.join(QUESTIONS)}")
    from srn_tf.evaluation.benchmarks import PairedBenchmark

    base, options = runs.configure()
    benchmark = PairedBenchmark(base.data_dir, "test", base.blur_subset)
    rows = []
    for question in questions:
        for answer in QUESTIONS[question]:
            print(f"\n{question}: {answer.text}")
            config = configuration(base, question, answer)
            folder = Path(RUNS.value) / run_name(config, base)
            summary = runs.train_and_evaluate(config.variant, config, options, folder, benchmark)
            rows.append(Row(question, answer, config, summary))
    print(write_table(rows, Path(OUTPUT.value)))


if __name__ == "__main__":
    run(main)
