"""Makes the weights that come with the package: renders pairs, trains, packs. One command.

    python -m experiments.starter --photographs=DIR,DIR --run_dir=runs/starter

The same is `make starter PHOTOGRAPHS=DIR,DIR`.

Result: RUN_DIR/starter.npz, SR-EDRB3 in float16 (7 MB), to be copied over
srn_tf/weights/starter.npz once it scores better (`python -m experiments.model_card
--run_dir=RUN_DIR`, and `python -m srn_tf.evaluate --run_dir=RUN_DIR --data_dir=DIR` on real pairs).
By default training begins with the weights that are shipped; --init_from= begins from scratch.
The command resumes when it is given again.
Time: 2.2 s a step on two cores with AVX2; see srn_tf/weights/MODEL_CARD.md for what it took.
"""

from __future__ import annotations

from pathlib import Path

from srn_tf.common.cli import run
from srn_tf.common.flags import define

GROUP = "Starter weights"
RECIPE = {
    "variant": "SR-EDRB3",
    "start": "identity",
    "batch_size": 4,
    "crop_size": 96,
    "augment": True,
    "learning_rate": 2e-4,
    "end_learning_rate": 0.0,
    "decay_power": 1.0,
    "relative_loss": 12.0,
    "ema_decay": 0.999,
    "checkpoint_every": 100,
    "validate_every": 0,
}
PHOTOGRAPHS = define(
    "photographs", list, None, "Folders of sharp photographs.", group=GROUP, required=True
)
PAIRS = define("pairs", int, 8000, "Number of pairs rendered.", group=GROUP, least=1, most=10**6)
SIZE = define("size", int, 224, "Side of the pairs in pixels.", group=GROUP, least=96, most=2**13)
STEPS = define("steps", int, 20_000, "Training steps.", group=GROUP, least=1, most=10**9)
INIT_FROM = define("init_from", Path, "starter", "Run folder to begin with.", group=GROUP)
DATA_DIR = define("data_dir", Path, "data/starter", "Folder for the pairs.", group=GROUP)
RUN_DIR = define("run_dir", Path, "runs/starter", "Run folder.", group=GROUP)


def main() -> None:
    """Renders what is missing, trains or resumes, and writes the weights."""
    from data_tools.starter_pairs import make_starter
    from srn_tf.training import configured, train
    from srn_tf.weights.run_folder import load_model
    from srn_tf.weights.starter import save_starter

    photographs = [Path(folder).expanduser() for folder in PHOTOGRAPHS.value]
    make_starter(photographs, DATA_DIR.value, pairs=PAIRS.value, size=SIZE.value)
    values = {**RECIPE, "data_dir": DATA_DIR.value, "decay_steps": STEPS.value}
    if INIT_FROM.value:
        values["init_from"] = INIT_FROM.value
    config, options, run_dir = configured(values, run_dir=RUN_DIR.value)
    train(config, options, run_dir)
    model = load_model(run_dir)
    output = Path(run_dir) / "starter.npz"
    save_starter(model, model.restored_step, output)
    print(f"{output}: {model.variant.name} after {model.restored_step} steps")


if __name__ == "__main__":
    run(main)
