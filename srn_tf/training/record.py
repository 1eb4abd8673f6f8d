"""What config.json records of a run, and whether a command asks for that same run.

What shapes the result must be the same: the configuration and the pairs themselves. Where the data
lies does not matter, so that it may move between two calls.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from srn_tf.common.errors import InputError
from srn_tf.data import Pair, digests, fingerprint
from srn_tf.network.variants import Variant
from srn_tf.training.configuration import TrainingConfig
from srn_tf.weights.run_folder import CONFIG, read_config

_WRITTEN = ("checkpoints", "logs", "metrics.csv", "curves.png", "comparison.png")


def check_same_configuration(run_dir: Path, config: TrainingConfig) -> dict | None:
    """Checks that `run_dir`, where it is a run folder, was made with this configuration.

    Returns:
      The content of its config.json; None where there is none.

    Raises:
      InputError: it differs in a field, which the message names, holds imported weights or files
        of somebody else that a run would replace, or its config.json is not what a training writes.
    """
    if not (run_dir / CONFIG).exists():
        for name in _WRITTEN:
            if (run_dir / name).exists():
                raise InputError(
                    f"{run_dir / name} was not made by a run, as there is no {CONFIG} beside it: "
                    "choose another --run_dir"
                )
        return None
    content = read_config(run_dir)
    before = recorded_training(content)
    if before is None:
        raise InputError(
            f"{run_dir} holds imported weights: give them as --init_from and take another --run_dir"
        )
    for field, new in config.to_dict().items():
        old = before.get(field)
        if old != new and field != "data_dir":  # compared by the pairs it holds
            if field == "variant":
                old, new = old["name"], new["name"]
            raise InputError(
                f"{run_dir} was made with {field} {old!r}, not {new!r}: "
                "give the same value, or another folder for the new run"
            )
    return content


def recorded_training(content: dict) -> dict | None:
    """The configuration in a config.json, as `TrainingConfig.to_dict` gives it.

    A field that is younger than the run folder has its default. None for imported weights.
    """
    if content.get("training") is None:
        return None
    defaults = {
        field.name: field.default
        for field in dataclasses.fields(TrainingConfig)
        if field.default is not dataclasses.MISSING
    }
    variant = Variant.from_dict(content["variant"]).to_dict()
    return {**defaults, **content["training"], "variant": variant}


def record_of_data(train: Sequence[Pair], held_out: Sequence[Pair]) -> dict:
    """What config.json keeps of the data.

    Returns:
      How many training pairs there are and what those of each sequence are, which sequences are
      held out, and on which of their images the best checkpoint is selected.
    """
    return {
        "pairs": len(train),
        "sequences": digests(train),
        "held_out": sorted({pair.sequence for pair in held_out}),
        "selected_on": [fingerprint(p.name, p.size, (p.blurred, p.sharp)) for p in held_out],
    }


def check_same_data(run_dir: Path, recorded: dict, now: dict, has_best: bool) -> None:
    """Compares the data with those in a run folder's config.json.

    Args:
      run_dir: for the message.
      recorded: the content of config.json.
      now: as `record_of_data` gives it.
      has_best: whether the run has chosen a best checkpoint.

    Raises:
      InputError: the run folder was made with other pairs; the message says which.
    """
    before = recorded.get("data") or {}
    sequences = before.get("sequences", now["sequences"])
    for sequence in sorted(sequences.keys() | now["sequences"].keys()):
        old, new = (pairs.get(sequence, "no pairs") for pairs in (sequences, now["sequences"]))
        if old != new:
            where = f"sequence {sequence}" if sequence else "the training pairs"
            if old.split(",")[0] == new.split(",")[0]:
                differ = f"{where}: {new.split(',')[0]}, but not the same (names or sizes differ)"
            else:
                differ = f"{where}: {old.split(',')[0]} then, {new.split(',')[0]} now"
            raise InputError(
                f"{run_dir} was trained on other data; {differ}. Give the same pairs, or another "
                "folder for the new run"
            )
    selected_on = before.get("selected_on", now["selected_on"])
    if has_best and selected_on != now["selected_on"]:  # that on two sets is that on neither
        raise InputError(
            f"{run_dir} selected its best checkpoint on {len(selected_on)} held-out images, not "
            f"these {len(now['selected_on'])}: give the same --validation_images"
        )
