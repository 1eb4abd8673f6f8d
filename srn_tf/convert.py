"""Imports the authors' released TensorFlow 1 checkpoints into a run folder.

    python -m srn_tf.convert --checkpoint=.../deblur.model-523000 --model=lstm \\
        --run_dir=runs/lstm
"""

from __future__ import annotations

import dataclasses
from functools import partial

from srn_tf.common.cli import run
from srn_tf.common.flags import define_flags, read_flags
from srn_tf.common.options import PathText, one_of
from srn_tf.common.start import start_tensorflow
from srn_tf.network.variants import RELEASED


@dataclasses.dataclass(frozen=True)
class Flags:
    """What is imported.

    Input:
      checkpoint: Path of the TF 1 checkpoint without .index, e.g. deblur.model-523000, or its
        folder.
      model: Which of the released models the checkpoint holds.

    Output:
      run_dir: New run folder.
    """

    checkpoint: PathText
    run_dir: PathText
    model: str = one_of(variant.name for variant in RELEASED)


define_flags(Flags)


def main() -> None:
    """Converts and says what to do next."""
    start_tensorflow()
    from srn_tf.weights.released import convert

    flags = read_flags(Flags)
    is_released = convert(flags.checkpoint, flags.model, flags.run_dir)
    weights = "the released weights" if is_released else "another training of the same network"
    print(f"{flags.run_dir}: imported {weights} ({flags.model})")
    print(f"Try: python -m srn_tf.deblur --run_dir={flags.run_dir} --input=... --output=...")


script = partial(run, main)  # srn-convert

if __name__ == "__main__":
    script()
