"""Packs the weights of a run folder, or the mean of several, as those that come with the package.

    python -m data_tools.starter_weights --run_dir=runs/starter --steps=6000
    python -m data_tools.starter_weights --run_dir=runs/a,runs/b --shares=0.4,0.6

`data_tools.averaging` says which runs may be averaged. Write srn_tf/weights/MODEL_CARD.md anew
after it: data, steps, hours, scores.
"""

from __future__ import annotations

from pathlib import Path

from srn_tf.common.cli import run
from srn_tf.common.flags import define
from srn_tf.weights.starter import FILE

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
    "output", Path, None, "File to write. Default: starter.npz of the package.", group=GROUP
)


def main() -> None:
    """Writes the file and says what it holds."""
    from data_tools.averaging import averaged, shares_of
    from srn_tf.weights.starter import save_starter

    run_dirs = RUN_DIR.value
    model = averaged(run_dirs, shares_of(SHARES.value or [1 / len(run_dirs)] * len(run_dirs)))
    steps = model.restored_step if STEPS.value is None else STEPS.value
    output = OUTPUT.value or FILE
    save_starter(model, steps, output)
    print(f"{output}: {model.variant.name} after {steps} steps")


if __name__ == "__main__":
    run(main)
