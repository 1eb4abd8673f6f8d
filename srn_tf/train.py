"""Trains a network: `python -m srn_tf.train --variant=SR-EDRB3 --data_dir=.../GOPRO_Large`.

The defaults are the paper's recipe. `--preset=demo` is a short one for CPUs and the demo data.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from absl import flags

from srn_tf.common.cli import run
from srn_tf.common.errors import InputError
from srn_tf.common.options import options_of
from srn_tf.data import find_pairs, steps_per_epoch
from srn_tf.network.variants import Variant, get_variant, slug
from srn_tf.training.configuration import PAPER_EPOCHS, RunOptions, TrainingConfig
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

# One flag for every other option of TrainingConfig and RunOptions.
_DEFINE = {
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    bool: flags.DEFINE_bool,
    str: flags.DEFINE_string,
}
_OPTIONS = {**options_of(TrainingConfig), **options_of(RunOptions)}
for _name in ("variant", "data_dir"):
    del _OPTIONS[_name]
for _name, _option in _OPTIONS.items():
    _DEFINE[_option.type](_name, None, _option.help)


def _given(configuration: type) -> dict:
    """The flags of this dataclass that stand on the command line."""
    names = (field.name for field in dataclasses.fields(configuration) if field.name in _OPTIONS)
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
