"""The blocks of Fig. 3: InBlock, EBlock, DBlock, OutBlock, made of ResBlocks.

All are Keras layers on `[B, H, W, C]`, SAME-padded as TensorFlow pads (a stride-2 convolution pads
more at the bottom and right), weights Xavier uniform, biases zero (Sec. 4). ReLU follows every
convolution and deconvolution but the second of a ResBlock and the last of the network; there is
none after the sum of a ResBlock. That is what the released code does.

Each layer knows its `reach`: how far an output sees, `[to the top or left, to the bottom or
right]`, in pixels of the larger of its sides (the input, or a deconvolution's output).
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from srn_tf.common.keras import keras
from srn_tf.network.variants import Variant


class Conv(keras.layers.Conv2D):
    """A SAME-padded convolution, with ReLU unless `activation` says otherwise."""

    def __init__(self, filters: int, kernel_size: int, activation: str | None = "relu", **kwargs):
        super().__init__(filters, kernel_size, padding="same", activation=activation, **kwargs)
        padding = (kernel_size - self.strides[0]) // 2  # at the top and left
        self.reach = np.array([padding, kernel_size - 1 - padding])

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.activation(_add_bias(self.convolution_op(x, self.kernel), self.bias))


class Deconv(keras.layers.Conv2DTranspose):
    """A 4x4 deconvolution of stride 2, with ReLU unless `activation` says otherwise."""

    def __init__(self, filters: int, activation: str | None = "relu", **kwargs):
        super().__init__(filters, 4, strides=2, padding="same", activation=activation, **kwargs)
        self.reach = np.array([2, 1])

    def call(self, x: tf.Tensor) -> tf.Tensor:
        batch, height, width, _ = tf.unstack(tf.shape(x))
        size = [batch, 2 * height, 2 * width, self.filters]
        enlarged = tf.nn.conv2d_transpose(x, self.kernel, size, strides=2)
        return self.activation(_add_bias(enlarged, self.bias))


class ResBlock(keras.layers.Layer):
    """x + conv(relu(conv(x))) (Sec. 3.2; no batch normalisation)."""

    def __init__(self, filters: int, kernel_size: int, **kwargs):
        super().__init__(**kwargs)
        self.conv1 = Conv(filters, kernel_size, name="conv1")
        self.conv2 = Conv(filters, kernel_size, activation=None, name="conv2")
        self.reach = self.conv1.reach + self.conv2.reach

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return x + self.conv2(self.conv1(x))


class PlainBlock(keras.layers.Layer):
    """relu(conv(relu(conv(x)))): what SR-ED and SR-Flat have in place of a ResBlock."""

    def __init__(self, filters: int, kernel_size: int, **kwargs):
        super().__init__(**kwargs)
        self.conv1 = Conv(filters, kernel_size, name="conv1")
        self.conv2 = Conv(filters, kernel_size, name="conv2")
        self.reach = self.conv1.reach + self.conv2.reach

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.conv2(self.conv1(x))


class InBlock(keras.layers.Layer):
    """A convolution of the input images to `filters` channels, then ResBlocks."""

    def __init__(self, filters: int, variant: Variant, **kwargs):
        super().__init__(**kwargs)
        self.conv = Conv(filters, variant.kernel_size, name="conv")
        self.blocks = _blocks(filters, variant)
        self.reach = self.conv.reach + _sum_of_reach(self.blocks)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return _run(self.blocks, self.conv(x))


class EBlock(keras.layers.Layer):
    """A convolution of stride 2 to `filters` channels, then ResBlocks: halves the size."""

    def __init__(self, filters: int, variant: Variant, **kwargs):
        super().__init__(**kwargs)
        self.conv = Conv(filters, variant.kernel_size, strides=variant.stride, name="conv")
        self.blocks = _blocks(filters, variant)
        self.reach = self.conv.reach + variant.stride * _sum_of_reach(self.blocks)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return _run(self.blocks, self.conv(x))


class DBlock(keras.layers.Layer):
    """ResBlocks of `filters` channels, then a deconvolution to half of them: doubles the size.

    SR-Flat and SR-RB, which keep the size, have a convolution in its place.
    """

    def __init__(self, filters: int, variant: Variant, **kwargs):
        super().__init__(**kwargs)
        self.blocks = _blocks(filters, variant)
        if variant.encoder_decoder:
            self.up = Deconv(filters // 2, name="deconv")
        else:
            self.up = Conv(filters // 2, variant.kernel_size, name="conv")
        self.reach = variant.stride * _sum_of_reach(self.blocks) + self.up.reach

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.up(_run(self.blocks, x))


class OutBlock(keras.layers.Layer):
    """ResBlocks of `filters` channels, then a linear convolution to an image.

    The image is float32 also under mixed precision.
    """

    def __init__(self, filters: int, variant: Variant, **kwargs):
        super().__init__(**kwargs)
        self.blocks = _blocks(filters, variant)
        self.conv = Conv(
            variant.channels, variant.kernel_size, activation=None, dtype="float32", name="conv"
        )
        self.reach = _sum_of_reach(self.blocks) + self.conv.reach

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.conv(_run(self.blocks, x))


def _add_bias(x: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    # On CPUs the gradient of `bias_add` is summed in bfloat16 and stops growing after some hundred
    # pixels; that of a plain addition is summed in float32. Both are fused with the convolution.
    return x + bias if x.dtype == tf.bfloat16 else tf.nn.bias_add(x, bias)


def _blocks(filters: int, variant: Variant) -> list[keras.layers.Layer]:
    kind = {"residual": ResBlock, "plain": PlainBlock}[variant.block]
    return [kind(filters, variant.kernel_size, name=f"block{i + 1}") for i in range(variant.blocks)]


def _run(layers: list[keras.layers.Layer], x: tf.Tensor) -> tf.Tensor:
    for layer in layers:
        x = layer(x)
    return x


def _sum_of_reach(layers: list[keras.layers.Layer]) -> np.ndarray:
    return sum(layer.reach for layer in layers)
