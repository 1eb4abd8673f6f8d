"""Makes the weights that come with the package: renders pairs, trains, packs. One command.

    python -m experiments.starter --photographs=DIR,DIR --run_dir=runs/starter

The same is `make starter PHOTOGRAPHS=DIR,DIR`.

Result: RUN_DIR/starter.npz, SR-EDRB3 in float16 (7 MB), to be copied over
srn_tf/weights/starter.npz once it scores better (`python -m experiments.model_card
--run_dir=RUN_DIR`, and `python -m srn_tf.evaluate --run_dir=RUN_DIR --data_dir=DIR` on real pairs).
Training begins with the weights that are shipped, or with those of --init_from.
The defaults are those that made the shipped weights of version 0.2.0 out of those of 0.1.0.
The command resumes when it is given again.
Time: 2.2 s a step on two cores with AVX2, two hours in all.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from srn_tf.common.cli import run
from srn_tf.common.errors import InputError
from srn_tf.common.files import written_beside
from srn_tf.common.flags import define_flags, read_flags
from srn_tf.common.options import PathText, number
from srn_tf.weights.starter import STEPS, VARIANT

if TYPE_CHECKING:
    from srn_tf.network.model import ScaleRecurrentNet

_SEED = 61  # of the pairs
RECIPE = {
    "variant": VARIANT,
    "batch_size": 4,
    "crop_size": 96,
    "augment": True,
    "learning_rate": 1.5e-4,
    "end_learning_rate": 0.0,
    "decay_power": 1.0,
    "relative_loss": 12.0,
    "ema_decay": 0.998,
    "checkpoint_every": 100,
    "validate_every": 0,
}


@dataclasses.dataclass(frozen=True)
class Flags:
    """What is made of what.

    Starter weights:
      photographs: Folders of sharp photographs.
      pairs: Number of pairs rendered.
      size: Side of the pairs in pixels.
      steps: Training steps.
      init_from: Run folder to begin with.
      data_dir: Folder for the pairs.
      run_dir: Run folder.
    """

    photographs: list[str]
    pairs: int = number(2400, least=1)
    size: int = number(192, least=96, most=2**13)
    steps: int = number(3000, least=1)
    init_from: PathText = "starter"
    data_dir: PathText = "data/starter"
    run_dir: PathText = "runs/starter"


def main() -> None:
    """Renders what is missing, trains or resumes, and writes the weights."""
    from data_tools.starter_pairs import make_starter
    from srn_tf.training import configured, train
    from srn_tf.weights.run_folder import load_model

    flags = read_flags(Flags)
    photographs = [Path(folder) for folder in flags.photographs]
    make_starter(photographs, flags.data_dir, seed=_SEED, pairs=flags.pairs, size=flags.size)
    values = {**RECIPE, "data_dir": flags.data_dir, "decay_steps": flags.steps}
    values["init_from"] = flags.init_from
    config, options, run_dir = configured(values, run_dir=flags.run_dir)
    train(config, options, run_dir)
    model = load_model(run_dir)
    output = Path(run_dir) / "starter.npz"
    save_starter(model, output)
    print(f"{output}: {model.variant.name} after {model.restored_step} steps")


def save_starter(model: ScaleRecurrentNet, file: Path) -> None:
    """Writes the weights of `model` in float16, and its `restored_step`.

    Raises:
      InputError: a weight has no float16.
    """
    with np.errstate(over="ignore"):  # seen below
        arrays = {each.name: each.numpy().astype(np.float16) for each in model.variables}
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise InputError(f"{name} holds values that float16 cannot")
    # An open file, as NumPy adds its suffix to a name.
    with written_beside(file) as temporary, temporary.open("wb") as opened:
        np.savez_compressed(opened, **arrays, **{STEPS: np.array(model.restored_step)})


if __name__ == "__main__":
    define_flags(Flags)
    run(main)
