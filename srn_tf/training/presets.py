"""From the values that somebody gave to a whole configuration: a preset fills in the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from srn_tf import data
from srn_tf.common.errors import InputError
from srn_tf.common.options import options_of
from srn_tf.network.variants import Variant, get_variant, slug
from srn_tf.training.configuration import PAPER_EPOCHS, RunOptions, TrainingConfig, fork_source
from srn_tf.weights.starter import check_not_starter, is_starter

# What each changes of the defaults, which are the paper's recipe.
PRESETS: dict[str, dict[str, Any]] = {
    "paper": {},
    "demo": {
        "batch_size": 2,
        "crop_size": 64,
        "learning_rate": 5e-4,
        "end_learning_rate": 0.0,
        "decay_power": 1.0,
        "decay_steps": 1000,
        "start": "identity",
        "log_every": 50,
        "checkpoint_every": 100,
        "validate_every": 250,
    },
}
DEMO_NOTICE = (
    "This is a demonstration on a few rendered photographs with a short schedule for CPUs. "
    "Its scores say nothing about GoPro; give DATA=.../GOPRO_Large for the paper's recipe."
)


def configured(
    values: Mapping[str, Any], preset: str = "paper", run_dir: str | Path | None = None
) -> tuple[TrainingConfig, RunOptions, Path]:
    """Configuration, options and run folder of a training.

    Args:
      values: by name, fields of `TrainingConfig` and `RunOptions`. "variant" is a `Variant` or the
        name of one; with "init_from" it may be left out. With "fork_from" all may be left out:
        they are those of the run that is forked. Without "decay_steps" the schedule is as long as
        the paper's for the data.
      preset: a key of `PRESETS`: the values of all that is not given.
      run_dir: by default runs/VARIANT.

    Raises:
      InputError: a value is missing or out of its range, `run_dir` is the name of the starter
        weights, or the data cannot be used.
    """
    if run_dir is not None:
        check_not_starter(run_dir)
    given = {**PRESETS[preset], **_forked(values), **values}
    given["variant"] = _variant(given)
    if not given.get("data_dir"):
        raise InputError("--data_dir is missing: --data_dir=/path/GOPRO_Large, for example")
    for folder in ("data_dir", "init_from", "fork_from"):
        if given.get(folder) and not (folder == "init_from" and is_starter(given[folder])):
            given[folder] = str(Path(given[folder]).resolve())
    config, options = (
        kind(**{name: given[name] for name in options_of(kind) if name in given})
        for kind in (TrainingConfig, RunOptions)
    )
    if "decay_steps" not in given:
        pairs = data.find_pairs(config.data_dir, "train", config.blur_subset)
        if config.hold_out:
            pairs, _ = data.hold_out(pairs, config.hold_out)
        epoch = data.steps_per_epoch(len(pairs), config.batch_size)
        config = dataclasses.replace(config, decay_steps=PAPER_EPOCHS * epoch)
    return config, options, Path(run_dir or Path("runs") / slug(config.variant.name))


def _forked(values: Mapping[str, Any]) -> dict[str, Any]:
    """The recorded configuration of the run that is forked; {} where none is."""
    if not values.get("fork_from"):
        return {}
    from srn_tf.weights.run_folder import read_config  # imports TensorFlow

    content = read_config(fork_source(values["fork_from"])[0])
    recorded = {**content.get("training", {}), "variant": Variant.from_dict(content["variant"])}
    return {name: recorded[name] for name in options_of(TrainingConfig) if name in recorded}


def _variant(given: Mapping[str, Any]) -> Variant:
    variant = given.get("variant")
    if isinstance(variant, Variant):
        return variant
    if variant:
        return get_variant(variant)
    if given.get("init_from"):
        from srn_tf.weights.run_folder import read_config  # imports TensorFlow

        return Variant.from_dict(read_config(given["init_from"])["variant"])
    raise InputError("--variant is missing: --variant=SR-EDRB3, for example")
