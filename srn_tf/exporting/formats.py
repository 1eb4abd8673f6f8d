"""Exporting a run: the model, how to run it, where it comes from, and proof that it is the same.

An export is a folder. Before it gets its name, what was written is run and compared with the Keras
model.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from srn_tf.common.errors import InputError, RunError
from srn_tf.common.files import written_beside
from srn_tf.exporting import graph
from srn_tf.inference.deblurrer import Deblurrer
from srn_tf.network.model import ScaleRecurrentNet
from srn_tf.weights.run_folder import CONFIG, load_model, read_config

SIZES = ((64, 48), (37, 53))  # heights and widths for the comparison with Keras
_TOLERANCE = 1  # gray levels: float rounding may lift a value over the border between two


class Format(NamedTuple):
    """One kind of export: what writes it, the file by which it is known, and five lines to run it.

    `write(model, folder)` returns a function that runs what it wrote.
    """

    write: Callable[[ScaleRecurrentNet, Path], graph.Client]
    file: str
    example: str


FORMATS = {
    "saved_model": Format(
        graph.write_saved_model,
        graph.SAVED_MODEL_FILE,
        """\
import tensorflow as tf
model = tf.saved_model.load(".")
image = tf.io.decode_image(tf.io.read_file("blurred.png"), channels=3)
deblurred = model.signatures["serving_default"](image=image[None])["deblurred"][0]
tf.io.write_file("deblurred.png", tf.io.encode_png(deblurred))
""",
    ),
    "onnx": Format(
        graph.write_onnx,
        graph.ONNX_FILE,
        """\
import cv2, onnxruntime
session = onnxruntime.InferenceSession("model.onnx")
image = cv2.imread("blurred.png")[..., ::-1]
(deblurred,) = session.run(["deblurred"], {"image": image[None]})
cv2.imwrite("deblurred.png", deblurred[0, ..., ::-1])
""",
    ),
    "tflite": Format(
        graph.write_tflite,
        graph.TFLITE_FILE,
        """\
import cv2, tensorflow as tf
deblur = tf.lite.Interpreter("model.tflite").get_signature_runner()
image = cv2.imread("blurred.png")[..., ::-1]
deblurred = deblur(image=image[None])["deblurred"]
cv2.imwrite("deblurred.png", deblurred[0, ..., ::-1])
""",
    ),
}
_README = """\
# {variant}: image deblurring

A scale-recurrent network (Tao et al., CVPR 2018), exported by srn_tf as `{file}`.

| signature | input | output |
|---|---|---|
{signatures}

B, H and W are free; colours are RGB. Padding, scaling, clipping and rounding are inside the graph.
Run in this folder:

```python
{example}```

## Where the weights come from

Step {step} (checkpoint "{checkpoint}") of the run or import that config.json describes: its
configuration, command line, versions and git commit.
"""
_INTEGER_ROW = "| `serving_default` | `image`: uint8 [B, H, W, 3] | `deblurred`: the same |"
_FLOAT_ROW = "| `float` | `image`: float32 [B, H, W, 3] in [0, 1] | `deblurred`: the same |"


def export(
    run_dir: str | Path,
    output: str | Path,
    kind: str = "saved_model",
    checkpoint: str = "latest",
    overwrite: bool = False,
) -> int:
    """Exports the network of a run folder and checks the result.

    Args:
      run_dir: run folder with the weights.
      output: folder to write.
      kind: a key of `FORMATS`.
      checkpoint: "latest" or "best".
      overwrite: replace `output` when it is an earlier export.

    Returns:
      The largest difference from the Keras model that was seen, in gray levels.

    Raises:
      InputError: no run folder, `output` exists, or packages are missing for this format.
      RunError: the result differs from the Keras model by more than one gray level; nothing is
        left behind.
    """
    output = Path(output)
    if output.exists() and not overwrite:
        raise InputError(f"{output} exists: pass --overwrite to replace it")
    if output.exists() and not _is_export(output):
        raise InputError(f"{output} is not an earlier export: choose another --output")
    config = read_config(run_dir)
    model = load_model(run_dir, checkpoint)
    with written_beside(output) as temporary:
        temporary.mkdir()
        client = FORMATS[kind].write(model, temporary)
        (temporary / "README.md").write_text(_readme(kind, model, checkpoint))
        (temporary / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
        difference = _largest_difference(client, Deblurrer(model))
        if difference > _TOLERANCE:
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
    about = {"README.md", CONFIG, "assets", "variables", "fingerprint.pb"}
    names = {path.name for path in folder.iterdir()}
    return bool(names & models) and names <= models | about


def _largest_difference(client: graph.Client, deblurrer: Deblurrer) -> int:
    generator = np.random.default_rng(0)
    largest = 0
    for height, width in SIZES:
        image = generator.integers(0, 256, (height, width, 3), np.uint8)
        (exported,) = client(image[None])
        difference = np.abs(exported.astype(int) - deblurrer(image))
        largest = max(largest, int(difference.max()))
    return largest


def _readme(kind: str, model: ScaleRecurrentNet, checkpoint: str) -> str:
    signatures = [_INTEGER_ROW, _FLOAT_ROW] if kind == "saved_model" else [_INTEGER_ROW]
    return _README.format(
        variant=model.variant.name,
        file=FORMATS[kind].file,
        signatures="\n".join(signatures),
        example=FORMATS[kind].example,
        checkpoint=checkpoint,
        step=model.restored_step,
    )
