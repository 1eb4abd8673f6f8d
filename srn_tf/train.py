"""Trains a network: `python -m srn_tf.train --variant=SR-EDRB3 --data_dir=.../GOPRO_Large`.

The defaults are the paper's recipe. `--preset=demo` is a short one for CPUs and the demo data.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from absl import flags

from srn_tf.common.cli import run
from srn_tf.common.errors import InputError
from srn_tf.data import CACHES, find_pairs, steps_per_epoch
from srn_tf.network.variants import Variant, get_variant, slug
from srn_tf.training.configuration import (
    PAPER_EPOCHS,
    PRECISIONS,
    STARTS,
    STRATEGIES,
    RunOptions,
    TrainingConfig,
)
from srn_tf.training.run import train
from srn_tf.weights.run_folder import read_config

# What the demonstration changes of the paper's recipe, and how often it speaks.
DEMO_CONFIG = {
    "batch_size": 2,
    "crop_size": 64,
    "learning_rate": 5e-4,
    "end_learning_rate": 0.0,
    "decay_power": 1.0,
    "decay_steps": 1000,
    "start": "identity",
}
DEMO_OPTIONS = {"log_every": 50, "checkpoint_every": 100, "validate_every": 250}

flags.DEFINE_string("variant", None, "Network: a row of Table 1, SRN, lstm, gray or color.")
flags.DEFINE_string("data_dir", None, "Folder (or list file) of image pairs.")
flags.DEFINE_string("run_dir", None, "Run folder; default runs/VARIANT.")
flags.DEFINE_enum("preset", "paper", ["paper", "demo"], "Values of the flags that are not given.")

# One flag for every other field of TrainingConfig and RunOptions.
HELP = {
    "blur_subset": "blur (plain mean of frames) or blur_gamma, where the data has both.",
    "batch_size": "Pairs per step over all devices; the paper's is 16.",
    "crop_size": "Side of the training crops in pixels, a multiple of 16; the paper's is 256.",
    "augment": "Random flips and quarter turns; the paper has none.",
    "learning_rate": "At the first step; the paper's is 1e-4.",
    "end_learning_rate": "At the end of the schedule; the paper's is 1e-6.",
    "decay_power": "Power of the polynomial decay; the paper's is 0.3.",
    "decay_steps": "Length of the schedule in steps; the paper's is 2000 epochs of the data.",
    "adam_epsilon": "Adam's epsilon; the paper's is 1e-8.",
    "clip_norm": "Global norm to which the recurrent gradients are clipped; 0 is off, paper 3.",
    "total_variation": "Weight of the total variation loss; the paper has none (0).",
    "ema_decay": "Decay per step of the averaged weights used for inference; 0 is off.",
    "mixed_precision": f"One of {', '.join(PRECISIONS)}; default none. Weights stay float32.",
    "seed": "Of the initial weights, the order of the pairs and the crops; not negative.",
    "start": f"Initial weights, one of {', '.join(STARTS)}; the paper's is xavier.",
    "init_from": "Run folder whose weights the run starts from (fine-tuning).",
    "max_steps": "The run ends after this many steps; default: the whole schedule.",
    "accumulate": "Parts into which each batch is cut to save memory; default 1.",
    "cache": f"Of decoded images, one of {', '.join(CACHES)}; default none.",
    "strategy": f"One of {', '.join(STRATEGIES)}; default auto.",
    "jit_compile": "Compile the gradients with XLA.",
    "deterministic": "The same bits every time, also after a resume; slower on GPUs.",
    "skip_nonfinite": "Leave out (and count) steps that are not finite instead of stopping.",
    "log_every": "Steps between log lines; default 100.",
    "checkpoint_every": "Steps between checkpoints; default 1000.",
    "keep_checkpoints": "How many of the newest checkpoints are kept; default 3.",
    "validate_every": "Steps between validations on whole test images; default 5000, 0 is never.",
    "validation_images": "How many test images serve for validation and report; default 10.",
    "profile": "Write a TensorBoard profile of ten steps.",
}
_DEFINE = {
    "int": flags.DEFINE_integer,
    "float": flags.DEFINE_float,
    "bool": flags.DEFINE_bool,
    "str": flags.DEFINE_string,
}
for _field in (*dataclasses.fields(TrainingConfig), *dataclasses.fields(RunOptions)):
    if _field.name in HELP:
        _DEFINE[_field.type.split(" ")[0]](_field.name, None, HELP[_field.name])


def _given(configuration: type) -> dict:
    """The flags of this dataclass that stand on the command line."""
    names = (field.name for field in dataclasses.fields(configuration) if field.name in HELP)
    return {name: flags.FLAGS[name].value for name in names if flags.FLAGS[name].value is not None}


def _variant() -> Variant:
    if flags.FLAGS.variant:
        return get_variant(flags.FLAGS.variant)
    if flags.FLAGS.init_from:
        return Variant.from_dict(read_config(flags.FLAGS.init_from)["variant"])
    raise InputError("--variant is missing: --variant=SR-EDRB3, for example")


def configure() -> tuple[TrainingConfig, RunOptions, Path]:
    """Configuration, options and run folder that the command line asks for."""
    variant = _variant()
    if not flags.FLAGS.data_dir:
        raise InputError("--data_dir is missing: --data_dir=/path/GOPRO_Large, for example")
    is_demo = flags.FLAGS.preset == "demo"
    fields = {**(DEMO_CONFIG if is_demo else {}), **_given(TrainingConfig)}
    data_dir = Path(flags.FLAGS.data_dir).resolve()
    if "decay_steps" not in fields:
        pairs = find_pairs(data_dir, "train", fields.get("blur_subset", "blur"))
        batch_size = fields.get("batch_size", TrainingConfig.batch_size)
        fields["decay_steps"] = PAPER_EPOCHS * steps_per_epoch(len(pairs), batch_size)
    if "init_from" in fields:
        fields["init_from"] = str(Path(fields["init_from"]).resolve())
    config = TrainingConfig(variant=variant, data_dir=str(data_dir), **fields)
    options = RunOptions(**{**(DEMO_OPTIONS if is_demo else {}), **_given(RunOptions)})
    run_dir = Path(flags.FLAGS.run_dir or Path("runs") / slug(variant.name))
    if is_demo:
        print(
            "This is a demonstration on a few rendered photographs with a short schedule for CPUs. "
            "Its scores say nothing about GoPro; give DATA=.../GOPRO_Large for the paper's recipe."
        )
        if not variant.encoder_decoder:
            print(f"{variant.name} works at full resolution throughout: expect 6 times the time.")
    return config, options, run_dir


def main() -> None:
    """Trains as the command line says."""
    train(*configure())


if __name__ == "__main__":
    run(main)
