"""Imports the authors' released TensorFlow 1 checkpoints into a run folder.

    python -m srn_tf.convert --checkpoint=.../deblur.model-523000 --model=lstm \\
        --run_dir=runs/lstm
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from srn_tf.common.cli import run
from srn_tf.common.flags import define
from srn_tf.common.start import start_tensorflow
from srn_tf.network.variants import RELEASED

CHECKPOINT = define(
    "checkpoint",
    Path,
    None,
    "Path of the TF 1 checkpoint without .index, e.g. deblur.model-523000, or its folder.",
    group="Input",
    required=True,
)
MODEL = define(
    "model",
    str,
    None,
    "Which of the released models the checkpoint holds.",
    group="Input",
    choices=tuple(variant.name for variant in RELEASED),
    required=True,
)
RUN_DIR = define("run_dir", Path, None, "New run folder.", group="Output", required=True)


def main() -> None:
    """Converts and says what to do next."""
    start_tensorflow()
    from srn_tf.weights.released import convert

    is_released = convert(CHECKPOINT.value, MODEL.value, RUN_DIR.value)
    weights = "the released weights" if is_released else "another training of the same network"
    print(f"{RUN_DIR.value}: imported {weights} ({MODEL.value})")
    print(f"Try: python -m srn_tf.deblur --run_dir={RUN_DIR.value} --input=... --output=...")


script = partial(run, main)  # srn-convert

if __name__ == "__main__":
    script()
