"""Which pairs a run trains on, which it validates on and which its report is about."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from srn_tf.data import Pair, find_pairs, hold_out, read_pair
from srn_tf.training.configuration import TrainingConfig


class RunData(NamedTuple):
    """The pairs of a run.

    Attributes:
      train: what it trains on.
      held_out: of the training split, kept for validation; [] without --hold_out.
      test: of the test split, for the report, and for validation if nothing is held out.
    """

    train: list[Pair]
    held_out: list[Pair]
    test: list[Pair]


def find_run_data(config: TrainingConfig, images: int) -> RunData:
    """The pairs that a configuration asks for.

    Args:
      config: with the folder and what is held out.
      images: how many whole images, evenly spaced, serve for validation and report.

    Raises:
      InputError: as `find_pairs` and `hold_out`, or one of these images is unreadable: better now
        than after hours.
    """
    train, held_out = find_pairs(config.data_dir, "train", config.blur_subset), []
    if config.hold_out is not None:
        train, held_out = hold_out(train, config.hold_out)
    test = _test_pairs(config) if images else []
    return RunData(train, _some_readable(held_out, images), _some_readable(test, images))


def _test_pairs(config: TrainingConfig) -> list[Pair]:
    if (Path(config.data_dir) / "test").is_dir():
        return find_pairs(config.data_dir, "test", config.blur_subset)
    print(
        f"{config.data_dir} has no folder 'test', and training images prove nothing: "
        + ("" if config.hold_out else "no validation, and ")
        + "no scores at the end"
    )
    return []


def _some_readable(pairs: list[Pair], count: int) -> list[Pair]:
    chosen = np.linspace(0, len(pairs) - 1, min(count, len(pairs))).astype(int)
    for i in chosen:
        read_pair(pairs[i])
    return [pairs[i] for i in chosen]
