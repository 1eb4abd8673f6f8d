"""Imports the authors' released TensorFlow 1 checkpoints into a run folder.

python -m srn_tf.convert --checkpoint=.../deblur.model-523000 --model=lstm --run_dir=runs/lstm
"""

from __future__ import annotations

from absl import flags

from srn_tf.common.cli import run
from srn_tf.network.variants import RELEASED
from srn_tf.weights.released import convert

CHECKPOINT = flags.DEFINE_string(
    "checkpoint",
    None,
    "Path of the TF 1 checkpoint without .index, e.g. deblur.model-523000, or its folder.",
    required=True,
)
MODEL = flags.DEFINE_enum(
    "model",
    None,
    [variant.name for variant in RELEASED],
    "Which of the released models the checkpoint holds.",
    required=True,
)
RUN_DIR = flags.DEFINE_string("run_dir", None, "New run folder to write.", required=True)


def main() -> None:
    """Converts and says what to do next."""
    convert(CHECKPOINT.value, MODEL.value, RUN_DIR.value)
    print(f"{RUN_DIR.value}: imported. Try: python -m srn_tf.deblur --run_dir={RUN_DIR.value} ...")


if __name__ == "__main__":
    run(main)
