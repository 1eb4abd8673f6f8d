"""The kinds of export: how each is run, and the README that says so. Nothing needs TensorFlow."""

from __future__ import annotations

from typing import NamedTuple


class Format(NamedTuple):
    """One kind of export: the file by which it is known, and five lines to run it."""

    file: str
    example: str


FORMATS = {
    "saved_model": Format(
        "saved_model.pb",
        """\
import tensorflow as tf
model = tf.saved_model.load(".")
image = tf.io.decode_image(tf.io.read_file("blurred.png"), channels=3)
deblurred = model.signatures["serving_default"](image=image[None])["deblurred"][0]
tf.io.write_file("deblurred.png", tf.io.encode_png(deblurred))
""",
    ),
    "onnx": Format(
        "model.onnx",
        """\
import cv2, onnxruntime
session = onnxruntime.InferenceSession("model.onnx")
image = cv2.imread("blurred.png")[..., ::-1]
(deblurred,) = session.run(["deblurred"], {"image": image[None]})
cv2.imwrite("deblurred.png", deblurred[0, ..., ::-1])
""",
    ),
    "tflite": Format(
        "model.tflite",
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


def readme(kind: str, variant: str, checkpoint: str, step: int) -> str:
    """The README.md of an export: the name of its variant, and which checkpoint it comes from."""
    signatures = [_INTEGER_ROW, _FLOAT_ROW] if kind == "saved_model" else [_INTEGER_ROW]
    return _README.format(
        variant=variant,
        file=FORMATS[kind].file,
        signatures="\n".join(signatures),
        example=FORMATS[kind].example,
        checkpoint=checkpoint,
        step=step,
    )
