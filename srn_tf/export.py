"""Exports a trained network for programs without this package.

    python -m srn_tf.export --run_dir=runs/SR-EDRB3 --output=exported/SR-EDRB3

The README.md in the folder that it writes says how to run the model.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from srn_tf.common.cli import run
from srn_tf.common.flags import define
from srn_tf.common.start import start_tensorflow
from srn_tf.exporting.formats import FORMATS

_WEIGHTS, _OUTPUT = "Weights", "Output"
RUN_DIR = define(
    "run_dir", Path, None, "Run folder with the weights.", group=_WEIGHTS, required=True
)
CHECKPOINT = define(
    "checkpoint",
    str,
    "latest",
    "Which checkpoint of the run folder.",
    group=_WEIGHTS,
    choices=("latest", "best"),
)
OUTPUT = define("output", Path, None, "Folder to write.", group=_OUTPUT, required=True)
FORMAT = define(
    "format",
    str,
    "saved_model",
    "What to write; onnx needs pip install -e '.[export]'.",
    group=_OUTPUT,
    choices=tuple(FORMATS),
)
PRECISION = define(
    "precision",
    str,
    "float32",
    "In which the exported network computes; bfloat16 is for processors and GPUs that have it.",
    group=_OUTPUT,
    choices=("float32", "bfloat16"),
)
OVERWRITE = define(
    "overwrite", bool, False, "Replace an earlier export in --output.", group=_OUTPUT
)


def main() -> None:
    """Exports and prints how the result compares with Keras."""
    start_tensorflow()
    from srn_tf.exporting.folder import SIZES, export

    difference = export(
        RUN_DIR.value,
        OUTPUT.value,
        FORMAT.value,
        CHECKPOINT.value,
        OVERWRITE.value,
        PRECISION.value,
    )
    sizes = " and ".join(f"{width}x{height}" for height, width in SIZES)
    print(f"{OUTPUT.value}: at most {difference} gray levels from the Keras model ({sizes})")


script = partial(run, main)  # srn-export

if __name__ == "__main__":
    script()
