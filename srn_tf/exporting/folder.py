"""Exporting a run: the model, how to run it, where it comes from, and proof that it is the same.

An export is a folder. Before it gets its name, what was written is run and compared with the Keras
model.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from srn_tf.common.errors import InputError, RunError
from srn_tf.common.files import reason, write_json, write_text, written_beside
from srn_tf.common.folders import locked
from srn_tf.exporting import graph
from srn_tf.exporting.formats import FORMATS, readme
from srn_tf.inference.graph import in_precision, on_any_size
from srn_tf.inference.tiling import as_dtype
from srn_tf.network.model import ScaleRecurrentNet
from srn_tf.weights.run_folder import CONFIG, load_model, read_config

SIZES = ((64, 48), (37, 53))  # heights and widths for the comparison with Keras
# In gray levels: float rounding may lift a value over the border between two; bfloat16 has 8 bits.
_TOLERANCE = {"float32": 1, "bfloat16": 16}


def export(
    run_dir: str | Path,
    output: str | Path,
    kind: str = "saved_model",
    checkpoint: str = "latest",
    overwrite: bool = False,
    precision: str = "float32",
) -> int:
    """Exports the network of a run folder and checks the result.

    Args:
      run_dir: run folder with the weights.
      output: folder to write.
      kind: a key of `FORMATS`.
      checkpoint: "latest" or "best".
      overwrite: replace `output` when it is an earlier export.
      precision: in which it computes: "float32", or "bfloat16" for a SavedModel.

    Returns:
      The largest difference from the Keras model that was seen, in gray levels.

    Raises:
      InputError: no run folder, `output` exists or is in use, or packages are missing for this
        format.
      RunError: the disk is full, or the result differs from the Keras model by more than one gray
        level (16 in bfloat16); nothing is left behind.
    """
    output = Path(output)
    if precision != "float32" and kind != "saved_model":
        raise InputError(f"{kind} computes in float32: take --format=saved_model for {precision}")
    config = read_config(run_dir)
    with locked(output, beside=True):
        if output.exists() and not overwrite:
            raise InputError(f"{output} exists: pass --overwrite to replace it")
        if output.exists() and not _is_export(output):
            raise InputError(f"{output} is not an earlier export: choose another --output")
        model = load_model(run_dir, checkpoint)
        with written_beside(output) as temporary:
            temporary.mkdir()
            try:
                client = graph.WRITERS[kind](in_precision(model, precision), temporary)
            except (tf.errors.OpError, OSError) as error:
                raise RunError(
                    f"{output} could not be written (disk full?): {reason(error)}"
                ) from None
            text = readme(kind, model.variant.name, checkpoint, model.restored_step)
            write_text(temporary / "README.md", text)
            write_json(temporary / CONFIG, config)
            difference = _largest_difference(client, model)
            if difference > _TOLERANCE[precision]:
                raise RunError(
                    f"the exported model differs from the Keras model by {difference} gray levels;"
                    f" {output} is not written"
                )
    return difference


def _is_export(folder: Path) -> bool:
    """Whether `folder` holds an earlier export and nothing else that would be lost."""
    if not folder.is_dir():
        return False
    models = {known.file for known in FORMATS.values()}
    ours = {"README.md", CONFIG}
    further = {"assets", "variables", "fingerprint.pb"}
    names = {path.name for path in folder.iterdir()}
    return bool(names & models) and ours <= names <= models | ours | further


def _largest_difference(client: graph.Client, model: ScaleRecurrentNet) -> int:
    """In gray levels, from the Keras model itself, in images of some sizes."""
    generator = np.random.default_rng(0)
    largest = 0
    for height, width in SIZES:
        images = generator.integers(0, 256, (1, height, width, 3), np.uint8)
        floats = tf.constant(as_dtype(images, np.float32))
        expected = on_any_size(floats, model.variant, lambda padded: model(padded)[0])
        difference = client(images).astype(int) - as_dtype(expected.numpy(), np.uint8)
        largest = max(largest, int(np.abs(difference).max()))
    return largest
