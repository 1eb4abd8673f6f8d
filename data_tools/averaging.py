"""The mean of the weights of several runs.

Runs of which one began with the weights of the other may be averaged: what one learned at the cost
of the other, the mean mostly keeps (Wortsman et al., Model soups, 2022).
"""

from __future__ import annotations

import math

from srn_tf.common.errors import InputError
from srn_tf.network.model import ScaleRecurrentNet
from srn_tf.weights.run_folder import load_model


def shares_of(texts: list) -> list[float]:
    """Numbers above 0 with the sum 1, or InputError."""
    try:
        shares = [float(text) for text in texts]
    except ValueError:
        shares = []
    if not all(0 < share <= 1 for share in shares) or not math.isclose(sum(shares), 1):
        raise InputError(f"--shares must be positive numbers with the sum 1, not {texts}")
    return shares


def averaged(run_dirs: list[str], shares: list[float]) -> ScaleRecurrentNet:
    """The network of the first run folder with the mean of all weights.

    Raises:
      InputError: there is not one share for each run, or the networks differ.
    """
    if len(run_dirs) != len(shares):
        raise InputError(f"{len(run_dirs)} run folders need as many --shares, not {len(shares)}")
    models = [load_model(run_dir) for run_dir in run_dirs]
    for run_dir, model in zip(run_dirs, models):
        if model.variant != models[0].variant:
            raise InputError(f"{run_dir} holds another network than {run_dirs[0]}")
    all_weights = zip(*(model.get_weights() for model in models))
    models[0].set_weights(
        [sum(share * each for share, each in zip(shares, weights)) for weights in all_weights]
    )
    return models[0]
