"""Exports a trained network for programs without this package.

    python -m srn_tf.export --run_dir=runs/SR-EDRB3 --output=exported/SR-EDRB3

The README.md in the folder that it writes says how to run the model.
"""

from __future__ import annotations

import dataclasses
from functools import partial

from srn_tf.common.cli import run
from srn_tf.common.flags import define_flags, read_flags
from srn_tf.common.options import PathText, one_of
from srn_tf.common.start import start_tensorflow
from srn_tf.exporting.formats import FORMATS


@dataclasses.dataclass(frozen=True)
class Flags:
    """What is exported.

    Weights:
      run_dir: Run folder with the weights, or starter for those of the package.
      checkpoint: Which checkpoint of the run folder.

    Output:
      output: Folder to write.
      format: What to write; onnx needs pip install -e '.[export]'.
      precision: In which the exported network computes; bfloat16 is for processors and GPUs that
        have it.
      overwrite: Replace an earlier export in --output.
    """

    run_dir: PathText
    output: PathText
    checkpoint: str = one_of(("latest", "best"), "latest")
    format: str = one_of(FORMATS, "saved_model")
    precision: str = one_of(("float32", "bfloat16"), "float32")
    overwrite: bool = False


define_flags(Flags)


def main() -> None:
    """Exports and prints how the result compares with Keras."""
    start_tensorflow()
    from srn_tf.exporting.folder import SIZES, export

    flags = read_flags(Flags)
    difference = export(
        flags.run_dir,
        flags.output,
        flags.format,
        flags.checkpoint,
        flags.overwrite,
        flags.precision,
    )
    sizes = " and ".join(f"{width}x{height}" for height, width in SIZES)
    print(f"{flags.output}: at most {difference} gray levels from the Keras model ({sizes})")


script = partial(run, main)  # srn-export

if __name__ == "__main__":
    script()
