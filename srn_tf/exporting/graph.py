"""Deblurring as one TensorFlow graph, for other programs: all that `Deblurrer` does is inside.

Nothing of Keras or this package is needed to load and run what is written here.
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
import warnings
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from srn_tf.common.errors import InputError
from srn_tf.common.folders import tensorflow_path
from srn_tf.exporting.formats import FORMATS
from srn_tf.inference.graph import freeze, trace_deblurring
from srn_tf.network.model import ScaleRecurrentNet

INPUT, OUTPUT = "image", "deblurred"
_OPSET = 17

Client = Callable[[np.ndarray], np.ndarray]  # uint8 [B, H, W, 3] to the same


def signatures(model: ScaleRecurrentNet) -> dict[str, tf.types.experimental.GenericFunction]:
    """The graphs to export, traced once for all sizes: `serving_default` and `float`.

    Both take `image` `[B, H, W, 3]` and return `{"deblurred": ...}` of the same shape and dtype:
    uint8, and float32 in [0, 1]. The weights are constants.
    """
    graph = freeze(trace_deblurring(model))

    @tf.function(
        input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, INPUT)], autograph=False
    )
    def deblur_integers(image):
        (deblurred,) = graph(tf.cast(image, tf.float32) / 255)
        return {OUTPUT: tf.cast(tf.round(tf.clip_by_value(deblurred, 0, 1) * 255), tf.uint8)}

    @tf.function(
        input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32, INPUT)], autograph=False
    )
    def deblur_floats(image):
        (deblurred,) = graph(image)
        return {OUTPUT: tf.clip_by_value(deblurred, 0, 1)}

    return {"serving_default": deblur_integers, "float": deblur_floats}


def write_saved_model(model: ScaleRecurrentNet, folder: str | os.PathLike) -> Client:
    """Writes a SavedModel into `folder` and returns a function that runs it."""
    path = tensorflow_path(folder)
    tf.saved_model.save(tf.Module(), path, signatures=signatures(model))
    loaded = tf.saved_model.load(path)
    return lambda images: loaded.signatures["serving_default"](tf.constant(images))[OUTPUT].numpy()


def write_onnx(model: ScaleRecurrentNet, folder: str | os.PathLike) -> Client:
    """Writes model.onnx into `folder` and returns a function that runs it in ONNX Runtime.

    Raises:
      InputError: the packages of the extra `export` are not installed.
    """
    if not all(importlib.util.find_spec(name) for name in ("tf2onnx", "onnxruntime")):
        raise InputError("--format=onnx needs more packages: pip install -e '.[export]'")
    import onnxruntime
    import tf2onnx

    path = os.path.join(tensorflow_path(folder), FORMATS["onnx"].file)
    function = signatures(model)["serving_default"]
    tf2onnx.convert.from_function(
        function, function.input_signature, opset=_OPSET, output_path=path
    )
    session = onnxruntime.InferenceSession(path)
    return lambda images: session.run([OUTPUT], {INPUT: images})[0]


def write_tflite(model: ScaleRecurrentNet, folder: str | os.PathLike) -> Client:
    """Writes model.tflite into `folder`, of built-in operators only; returns what runs it."""
    with tempfile.TemporaryDirectory() as saved_model:
        write_saved_model(model, saved_model)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            saved_model, signature_keys=["serving_default"]
        )
        content = converter.convert()
    path = os.path.join(tensorflow_path(folder), FORMATS["tflite"].file)
    with open(path, "wb") as file:
        file.write(content)
    with warnings.catch_warnings():  # that a package of its own will take its place
        warnings.filterwarnings("ignore", "(?s).*tf.lite.Interpreter is deprecated", UserWarning)
        runner = tf.lite.Interpreter(path).get_signature_runner("serving_default")
    return lambda images: runner(**{INPUT: images})[OUTPUT]


WRITERS: dict[str, Callable[[ScaleRecurrentNet, str | os.PathLike], Client]] = {
    "saved_model": write_saved_model,
    "onnx": write_onnx,
    "tflite": write_tflite,
}
