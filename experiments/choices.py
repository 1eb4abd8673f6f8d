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
as they are, the others are trained there. The same command resumes where it was stopped.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from absl import flags

from experiments import runs
from srn_tf.common.cli import run
from srn_tf.common.errors import InputError
from srn_tf.common.flags import define_flags
from srn_tf.common.options import PathText
from srn_tf.network.variants import Variant, get_variant, slug
from srn_tf.training.configuration import ADVERSARIAL_CROP, TrainingConfig

# The paper tells no weights. The second is that of Nah et al.
TOTAL_VARIATION = 1e-3
ADVERSARIAL = 1e-4
HEADER = ("question", "answer", "network", "PSNR (dB)", "SSIM", "steps", "crop", "batch")


class Answer(NamedTuple):
    """One thing to choose: which network it is, and what it changes of the recipe."""

    text: str
    variant: Variant
    recipe: dict[str, Any]


class Trained(NamedTuple):
    """An answer with what was trained for it and how that scored."""

    question: str
    answer: Answer
    config: TrainingConfig
    summary: dict


_BASE = get_variant("SR-EDRB3")
QUESTIONS: dict[str, tuple[Answer, ...]] = {
    "cell": (
        Answer("ConvLSTM (the paper's)", _BASE, {}),
        Answer("vanilla RNN", get_variant("RNN"), {}),
        Answer("GRU", get_variant("SR-EDRB3-GRU"), {}),
    ),
    "upsampling": (
        Answer("bilinear (the paper's)", _BASE, {}),
        Answer("deconvolution", get_variant("SR-EDRB3-Deconv"), {}),
        Answer("sub-pixel convolution", get_variant("SR-EDRB3-SubPixel"), {}),
    ),
    "loss": (
        Answer("L2 (the paper's)", _BASE, {}),
        Answer("L2 + TV", _BASE, {"total_variation": TOTAL_VARIATION}),
        Answer("L2 + adversarial", _BASE, {"adversarial": ADVERSARIAL}),
    ),
}


def main() -> None:
    """Trains and scores what is not done yet, and writes the table."""
    questions = flags.FLAGS.questions or list(QUESTIONS)
    for question in questions:
        if question not in QUESTIONS:
            raise InputError(f"--questions: {question!r} is none of {', '.join(QUESTIONS)}")
    base, options, data = runs.configure()
    rows = []
    for question in questions:
        for answer in QUESTIONS[question]:
            print(f"\n{question}: {answer.text}")
            config = configuration(base, question, answer)
            folder = Path(flags.FLAGS.runs) / run_name(config, base)
            summary = runs.train_and_evaluate(config.variant, config, options, folder, data)
            rows.append(Trained(question, answer, config, summary))
    print(write_table(rows, Path(flags.FLAGS.output)))


def configuration(base: TrainingConfig, question: str, answer: Answer) -> TrainingConfig:
    """The recipe for an answer: within a question, it alone makes the difference.

    The discriminator needs crops of 256 pixels. Where `base` has smaller ones, all losses are
    trained with such crops, one to a batch.
    """
    changes = {"variant": answer.variant, **answer.recipe}
    if question == "loss" and base.crop_size < ADVERSARIAL_CROP:
        changes |= {"crop_size": ADVERSARIAL_CROP, "batch_size": 1}
    return dataclasses.replace(base, **changes)


def run_name(config: TrainingConfig, base: TrainingConfig) -> str:
    """The name of a run folder: that of the network, and what its recipe changes."""
    before = base.to_dict()
    changes = [
        f"{field}-{value}"
        for field, value in config.to_dict().items()
        if field != "variant" and value != before[field]
    ]
    return "-".join([slug(config.variant.name), *changes])


def write_table(rows: Sequence[Trained], output: Path) -> str:
    """Writes choices.md and choices.csv into `output`; returns the text."""
    from experiments.report import reservation, scored_on, write_tables
    from srn_tf.evaluation.results import rounded

    body = [
        [
            row.question,
            row.answer.text,
            row.config.variant.name,
            rounded("psnr", row.summary["mean"]["psnr"]),
            f"{row.summary['mean']['ssim_matlab']:.4f}",
            *map(str, (row.summary["step"], row.config.crop_size, row.config.batch_size)),
        ]
        for row in rows
    ]
    steps = min(row.summary["step"] for row in rows)
    caption = (
        f"Choices of Sec. 3.1 and 3.3: {scored_on(rows[0].summary)}. "
        f"Weights: TV {TOTAL_VARIATION:g}, adversarial {ADVERSARIAL:g}. "
        f"{reservation(rows[0].config.to_dict(), steps)}"
    )
    return write_tables(output, "choices", HEADER, body, caption)


@dataclasses.dataclass(frozen=True)
class Flags:
    """What is made, beside the flags of training.

    Choices:
      runs: Folder of the run folders, one for each network and recipe.
      output: Folder of the table.
      questions: Which are asked, with commas between, of cell, upsampling and loss. Default: all.
    """

    runs: PathText = "results/ablation/runs"
    output: PathText = "results/choices"
    questions: list[str] | None = None


if __name__ == "__main__":
    define_flags(Flags)
    runs.define_training_flags()
    run(main)
