"""Whether a run folder belongs to the run that a command asks for.

What shapes the result must be the same: the configuration, the pairs themselves, the weights at the
start. Where data and weights lie does not matter, so that they may move between two calls.
"""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

from srn_tf.common.errors import InputError
from srn_tf.data import digests, fingerprint
from srn_tf.network.variants import Variant
from srn_tf.training.configuration import TrainingConfig
from srn_tf.training.splits import RunData
from srn_tf.weights.run_folder import (
    CONFIG,
    checkpoint_folder,
    checkpoint_steps,
    load_model,
    read_config,
)

_WRITTEN = ("checkpoints", "logs", "metrics.csv", "curves.png", "comparison.png")
_PATHS = ("data_dir", "init_from")  # compared by what they hold


def check_same_configuration(run_dir: Path, config: TrainingConfig) -> None:
    """Checks that `run_dir`, where it is a run folder, was made with this configuration.

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
        return
    before = recorded_training(run_dir)
    if before is None:
        raise InputError(
            f"{run_dir} holds imported weights: give them as --init_from and take another --run_dir"
        )
    for field, new in config.to_dict().items():
        old = before.get(field)
        if field in _PATHS:
            old, new = (None if path is None else "a path" for path in (old, new))
        if old != new:
            if field == "variant":
                old, new = old["name"], new["name"]
            raise InputError(
                f"{run_dir} was made with {field} {old!r}, not {new!r}: "
                "give the same value, or another folder for the new run"
            )


def recorded_training(run_dir: Path) -> dict | None:
    """The configuration of the training in a run folder, as `TrainingConfig.to_dict` gives it.

    A field that is younger than the run folder has its default. None for imported weights.

    Raises:
      InputError: no run folder, or its config.json is not what a training writes.
    """
    content = read_config(run_dir)
    if content.get("training") is None:
        return None
    defaults = {
        field.name: field.default
        for field in dataclasses.fields(TrainingConfig)
        if field.default is not dataclasses.MISSING
    }
    # The variant's own fields may be younger too.
    variant = Variant.from_dict(content["variant"]).to_dict()
    return {**defaults, **content["training"], "variant": variant}


def identity(run_dir: Path, config: TrainingConfig, data: RunData) -> dict:
    """What config.json keeps of data and first weights; compared with what it holds already.

    Returns:
      Keys "data" (how many pairs and what those of each sequence are, which sequences are held out,
      and on which of their images the best checkpoint is selected) and "first_weights" (a digest of
      those of --init_from, or None).

    Raises:
      InputError: the run folder was made with other pairs or weights; the message says which.
    """
    before = read_config(run_dir) if (run_dir / CONFIG).exists() else {}
    now = {
        "pairs": len(data.train),
        "sequences": digests(data.train),
        "held_out": sorted({pair.sequence for pair in data.held_out}),
        "selected_on": [fingerprint(p.name, p.size, (p.blurred, p.sharp)) for p in data.held_out],
    }
    if "data" in before:
        sequences, selected_on = _recorded_data(run_dir, before["data"])
        _check_same_pairs(run_dir, sequences, now["sequences"])
        _check_same_selection(run_dir, selected_on, now["selected_on"])
    first_weights = None
    if config.init_from is not None:
        first_weights = before.get("first_weights")
        # Once it has begun, a run does not need its source any more.
        if first_weights is None or before["training"]["init_from"] != config.init_from:
            found = _digest(config.init_from)
            if first_weights not in (None, found):
                raise InputError(
                    f"{run_dir} did not start from the weights of {config.init_from}: give "
                    f"--init_from={before['training']['init_from']}, or another --run_dir"
                )
            first_weights = found
    return {"data": now, "first_weights": first_weights}


def _recorded_data(run_dir: Path, data: dict) -> tuple[dict[str, str], list | None]:
    sequences, selected_on = data.get("sequences", {}), data.get("selected_on")
    if (
        not isinstance(sequences, dict)
        or not all(isinstance(value, str) for value in sequences.values())
        or not isinstance(selected_on, (list, type(None)))
    ):
        raise InputError(f"{run_dir / CONFIG}: data is not what a training writes")
    return sequences, selected_on


def _check_same_pairs(run_dir: Path, before: dict[str, str], now: dict[str, str]) -> None:
    for sequence in sorted(before.keys() | now.keys()):
        old, new = before.get(sequence, "no pairs"), now.get(sequence, "no pairs")
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


def _check_same_selection(run_dir: Path, before: list | None, now: list) -> None:
    """The best on two sets of images would be that on neither."""
    if before not in (None, now) and checkpoint_steps(checkpoint_folder(run_dir, "best")):
        raise InputError(
            f"{run_dir} selected its best checkpoint on {len(before)} held-out images, not these "
            f"{len(now)}: give the same --validation_images"
        )


def _digest(run_dir: str) -> str:
    """Of the weights of a run folder that are meant for inference."""
    digest = hashlib.sha256()
    for array in load_model(run_dir).get_weights():
        digest.update(array.tobytes())
    return digest.hexdigest()[:16]
