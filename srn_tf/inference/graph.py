"""A network as one graph that deblurs RGB images of any size, its weights constants."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

# Private by its name, and yet where TensorFlow documents it; tf2onnx and others import it so.
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from srn_tf.common.keras import keras
from srn_tf.network.model import ScaleRecurrentNet, build_model
from srn_tf.network.variants import Variant


def trace(function: Callable, *signature: tf.TensorSpec) -> tf.types.experimental.ConcreteFunction:
    """The graph of `function`, which reads the weights whenever it runs."""
    traced = tf.function(function, input_signature=signature, autograph=False)
    return traced.get_concrete_function()


def freeze(traced: tf.types.experimental.ConcreteFunction) -> Callable[..., list[tf.Tensor]]:
    """The same graph with the present weights as constants; returns a list of tensors.

    oneDNN then chooses their layout itself. TensorFlow 2.21 hands it that of a variable as it is,
    for which a processor with AVX2 alone has no convolution but by way of matrix products, which is
    slower and takes more memory.
    """
    return convert_variables_to_constants_v2(traced)


def trace_deblurring(model: ScaleRecurrentNet) -> tf.types.experimental.ConcreteFunction:
    """float32 `[B, H, W, 3]` in [0, 1], of any size, to the finest prediction, not clipped."""
    return trace(
        lambda images: on_any_size(images, model.variant, lambda padded: model(padded)[0]),
        tf.TensorSpec([None, None, None, 3], tf.float32, "image"),
    )


def in_precision(model: ScaleRecurrentNet, precision: str) -> ScaleRecurrentNet:
    """A network with the same weights that computes in "bfloat16", or `model` for "float32".

    Weights, images and the last convolution stay float32.
    """
    if precision == "float32":
        return model
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(f"mixed_{precision}")
    try:
        twin = build_model(model.variant)
    finally:
        keras.mixed_precision.set_global_policy(before)
    twin.set_weights(model.get_weights())
    return twin


def on_any_size(
    images: tf.Tensor, variant: Variant, network: Callable[[tf.Tensor], tf.Tensor]
) -> tf.Tensor:
    """Gives `network` what it asks for, and its result the form of the images.

    Images are padded to multiples of `variant.size_multiple`, 16 for the paper's network, by
    repeating their last row and column, as the authors do; a one-channel network takes R, G and B
    as three images.

    Args:
      images: `[B, H, W, 3]`.
      variant: that of the network.
      network: from `[N, H', W', channels]` to the same.
    """
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    for axis, size in ((1, height), (2, width)):  # `tf.pad` cannot repeat
        multiple = variant.size_multiple
        padded_size = (size + multiple - 1) // multiple * multiple
        images = tf.gather(images, tf.minimum(tf.range(padded_size), size - 1), axis=axis)
    if variant.channels == 3:
        return network(images)[:, :height, :width]
    shape = tf.shape(images)
    planes = tf.reshape(tf.transpose(images, [0, 3, 1, 2]), [-1, shape[1], shape[2], 1])
    planes = tf.reshape(network(planes), [-1, 3, shape[1], shape[2]])
    return tf.transpose(planes, [0, 2, 3, 1])[:, :height, :width]
