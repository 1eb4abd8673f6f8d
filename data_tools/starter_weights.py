"""Packs the weights of a run folder as the ones that come with the package.

    python -m data_tools.starter_weights --run_dir=runs/starter --steps=6000

Write srn_tf/weights/MODEL_CARD.md anew after it: data, steps, hours, scores.
"""

from __future__ import annotations

from srn_tf.common.cli import run
from srn_tf.common.flags import define
from srn_tf.weights.starter import FILE

RUN_DIR = define(
    "run_dir", str, None, "Run folder with the weights.", group="Weights", required=True
)
STEPS = define(
    "steps",
    int,
    None,
    "Steps of all stages together. Default: those of this run.",
    group="Weights",
    least=0,
    most=10**9,
)
OUTPUT = define(
    "output", str, None, "File to write. Default: starter.npz of the package.", group="Weights"
)


def main() -> None:
    """Writes the file and says what it holds."""
    from srn_tf.weights.run_folder import load_model
    from srn_tf.weights.starter import save_starter

    model = load_model(RUN_DIR.value)
    steps = model.restored_step if STEPS.value is None else STEPS.value
    output = OUTPUT.value or FILE
    save_starter(model, steps, output)
    print(f"{output}: {model.variant.name} after {steps} steps")


if __name__ == "__main__":
    run(main)
