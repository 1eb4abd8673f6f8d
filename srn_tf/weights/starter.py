"""The weights that come with the package: what they are and how they are read.

Wherever a run folder is asked for, the name `starter` stands for them (a folder of that name is
`./starter`). starter.npz, made by `experiments/starter.py`, holds float16 arrays by variable name
and the number of training steps; MODEL_CARD.md beside it says what they were trained on and are
good for.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from srn_tf.common.errors import InputError
from srn_tf.network.variants import get_variant

if TYPE_CHECKING:
    from srn_tf.network.model import ScaleRecurrentNet

STARTER = "starter"
VARIANT = "SR-EDRB3"
FILE = Path(__file__).with_name("starter.npz")
NOTE = (
    "starter weights: trained for some hours on rendered shake, they sharpen mild blur; "
    "for more, train on GoPro (README) and pass --run_dir=RUN"
)
STEPS = "steps"  # the name in the file


def is_starter(run_dir: str | os.PathLike) -> bool:
    """Whether `run_dir`, as given by the user, means the weights of the package."""
    return os.fspath(run_dir) == STARTER


def check_not_starter(run_dir: str | os.PathLike) -> None:
    """Raises InputError for a folder to write that nobody could then read by its name."""
    if is_starter(Path(run_dir)):
        raise InputError(
            f"{run_dir} is the name of the weights that come with the package: "
            "choose another --run_dir"
        )


def starter_config() -> dict:
    """What stands for config.json; no blur subset, as the training data mixed both."""
    return {"variant": get_variant(VARIANT).to_dict(), "weights": STARTER}


def load_starter(file: str | os.PathLike = FILE) -> ScaleRecurrentNet:
    """The network with the weights of the package in float32; `restored_step` is their steps.

    Raises:
      InputError: the file is missing, damaged or of another network.
    """
    from srn_tf.network.model import build_model  # TensorFlow, for which no flag should wait

    model = build_model(get_variant(VARIANT))
    try:
        with np.load(file, allow_pickle=False) as arrays:
            values = [arrays[variable.name].astype(np.float32) for variable in model.variables]
            model.restored_step = int(arrays[STEPS])
        model.set_weights(values)
    except Exception as error:  # a damaged archive raises many kinds
        raise InputError(f"{file} does not hold the starter weights: {error}") from None
    return model
