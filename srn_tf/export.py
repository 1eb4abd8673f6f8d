"""Exports a trained network for programs without this package.

    python -m srn_tf.export --run_dir=runs/SR-EDRB3 --output=exported/SR-EDRB3

The README.md in the folder that it writes says how to run the model.
"""

from __future__ import annotations

from absl import flags

from srn_tf.common.cli import run
from srn_tf.exporting.formats import FORMATS, SIZES, export

RUN_DIR = flags.DEFINE_string("run_dir", None, "Run folder with the weights.", required=True)
CHECKPOINT = flags.DEFINE_enum(
    "checkpoint", "latest", ["latest", "best"], "Which checkpoint of the run folder."
)
OUTPUT = flags.DEFINE_string("output", None, "Folder to write.", required=True)
FORMAT = flags.DEFINE_enum(
    "format",
    "saved_model",
    list(FORMATS),
    "What to write; onnx needs pip install -e '.[export]'.",
)
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace an earlier export in --output.")


def main() -> None:
    """Exports and prints how the result compares with Keras."""
    difference = export(
        RUN_DIR.value, OUTPUT.value, FORMAT.value, CHECKPOINT.value, OVERWRITE.value
    )
    sizes = " and ".join(f"{width}x{height}" for height, width in SIZES)
    print(f"{OUTPUT.value}: at most {difference} gray levels from the Keras model ({sizes})")


if __name__ == "__main__":
    run(main)
