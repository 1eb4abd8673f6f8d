"""Packs the weights of a run folder, or the mean of several, as those that come with the package.

    python -m data_tools.starter_weights --run_dir=runs/starter --steps=6000
    python -m data_tools.starter_weights --run_dir=runs/a,runs/b --shares=0.4,0.6

Runs of which one began with the weights of the other may be averaged: what one learned at the cost
of the other, the mean mostly keeps (Wortsman et al., Model soups, 2022). Write
srn_tf/weights/MODEL_CARD.md anew after it: data, steps, hours, scores.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from srn_tf.common.cli import run
from srn_tf.common.errors import InputError
from srn_tf.common.flags import define
from srn_tf.weights.starter import FILE

if TYPE_CHECKING:
    from srn_tf.network.model import ScaleRecurrentNet

GROUP = "Weights"
RUN_DIR = define("run_dir", list, None, "Run folders with the weights.", group=GROUP, required=True)
SHARES = define(
    "shares", list, None, "Share of each run folder, 1 in all. Default: equal ones.", group=GROUP
)
STEPS = define(
    "steps",
    int,
    None,
    "Steps of all stages together. Default: those of the first run.",
    group=GROUP,
    least=0,
    most=10**9,
)
OUTPUT = define(
    "output", str, None, "File to write. Default: starter.npz of the package.", group=GROUP
)


def main() -> None:
    """Writes the file and says what it holds."""
    from srn_tf.weights.starter import save_starter

    run_dirs = RUN_DIR.value
    model = averaged(run_dirs, shares_of(SHARES.value or [1 / len(run_dirs)] * len(run_dirs)))
    steps = model.restored_step if STEPS.value is None else STEPS.value
    output = OUTPUT.value or FILE
    save_starter(model, steps, output)
    print(f"{output}: {model.variant.name} after {steps} steps")


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
    from srn_tf.weights.run_folder import load_model

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


if __name__ == "__main__":
    run(main)
