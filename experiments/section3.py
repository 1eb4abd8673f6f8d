"""What Sec. 3.1 and 3.3 leave to be chosen: questions, the answers to each, and their table."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from srn_tf.network.variants import Variant, get_variant, slug
from srn_tf.training.configuration import ADVERSARIAL_CROP, TrainingConfig

# The paper tells no weights. The second is that of Nah et al.
TOTAL_VARIATION = 1e-3
ADVERSARIAL = 1e-4


class Answer(NamedTuple):
    """One thing to choose: which network it is, and what it changes of the recipe."""

    text: str
    variant: Variant
    recipe: dict[str, Any]


class Row(NamedTuple):
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


def write_table(rows: Sequence[Row], output: Path) -> str:
    """Writes choices.md and choices.csv into `output`; returns the text."""
    from experiments.table1 import reservation
    from experiments.tables import write_tables
    from srn_tf.evaluation.results import number

    header = ["question", "answer", "network", "PSNR (dB)", "SSIM", "steps", "crop", "batch"]
    body = [
        [
            row.question,
            row.answer.text,
            row.config.variant.name,
            number("psnr", row.summary["mean"]["psnr"]),
            f"{row.summary['mean']['ssim_matlab']:.4f}",
            *map(str, (row.summary["step"], row.config.crop_size, row.config.batch_size)),
        ]
        for row in rows
    ]
    config, summary = rows[0].config, rows[0].summary
    blurred = number("psnr", summary["baseline"]["psnr"])
    caption = (
        f"Choices of Sec. 3.1 and 3.3: means over {summary['images']} test images of "
        f"{Path(summary['data_dir']).name} ({summary['blur_subset']}), blurred "
        f"{blurred} dB, SSIM {summary['baseline']['ssim_matlab']:.4f}. "
        f"Weights: TV {TOTAL_VARIATION:g}, adversarial {ADVERSARIAL:g}. "
        f"{reservation(config.to_dict(), min(row.summary['step'] for row in rows))}"
    ).rstrip()
    return write_tables(output, "choices", header, body, caption)
