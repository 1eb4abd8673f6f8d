"""The blocks of Fig. 3: InBlock, EBlock, DBlock, OutBlock, made of ResBlocks.

All are Keras layers on `[B, H, W, C]`, SAME-padded as TensorFlow pads (a stride-2 convolution pads
more at the bottom and right), weights Xavier uniform, biases zero (Sec. 4). ReLU follows every
convolution and deconvolution but the second of a ResBlock and the last of the network; there is
none after the sum of a ResBlock. That is what the released code does.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import tensorflow as tf

from srn_tf.common.hardware import computes_in
from srn_tf.common.keras import keras
from srn_tf.network.variants import Variant


class Conv(keras.layers.Conv2D):
    """A SAME-padded convolution, with ReLU unless `activation` says otherwise."""

    def __init__(self, filters: int, kernel_size: int, activation: str | None = "relu", **kwargs):
        super().__init__(filters, kernel_size, padding="same", activation=activation, **kwargs)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        convolved = _in_16_bits(self.convolution_op, x, self.kernel)
        return self.activation(_add_bias(convolved, self.bias))


class Deconv(keras.layers.Conv2DTranspose):
    """A 4x4 deconvolution of stride 2, with ReLU unless `activation` says otherwise."""

    def __init__(self, filters: int, activation: str | None = "relu", **kwargs):
        super().__init__(filters, 4, strides=2, padding="same", activation=activation, **kwargs)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        batch, height, width, _ = tf.unstack(tf.shape(x))
        size = [batch, 2 * height, 2 * width, self.filters]
        enlarge = functools.partial(tf.nn.conv2d_transpose, output_shape=size, strides=2)
        return self.activation(_add_bias(_in_16_bits(enlarge, x, self.kernel), self.bias))


class ResBlock(keras.layers.Layer):
    """x + conv(relu(conv(x))) (Sec. 3.2; no batch normalisation).

    With `skip=False` relu(conv(relu(conv(x)))), which SR-ED and SR-Flat have in its place.
    """

    def __init__(self, filters: int, kernel_size: int, skip: bool = True, **kwargs):
        super().__init__(**kwargs)
        self.skip = skip
        self.conv1 = Conv(filters, kernel_size, name="conv1")
        self.conv2 = Conv(filters, kernel_size, None if skip else "relu", name="conv2")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        y = self.conv2(self.conv1(x))
        return x + y if self.skip else y


class EBlock(keras.layers.Layer):
    """A convolution to `filters` channels, then ResBlocks; with stride 1 it is the InBlock."""

    def __init__(self, filters: int, stride: int, variant: Variant, **kwargs):
        super().__init__(**kwargs)
        self.conv = Conv(filters, variant.kernel_size, strides=stride, name="conv")
        self.blocks = _res_blocks(filters, variant)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return _run(self.blocks, self.conv(x))


class DBlock(keras.layers.Layer):
    """ResBlocks of `filters` channels, then a deconvolution to half of them: doubles the size.

    SR-Flat and SR-RB, which keep the size, have a convolution in its place.
    """

    def __init__(self, filters: int, variant: Variant, **kwargs):
        super().__init__(**kwargs)
        self.blocks = _res_blocks(filters, variant)
        if variant.encoder_decoder:
            self.up = Deconv(filters // 2, name="deconv")
        else:
            self.up = Conv(filters // 2, variant.kernel_size, name="conv")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.up(_run(self.blocks, x))


class OutBlock(keras.layers.Layer):
    """ResBlocks of `filters` channels, then a linear convolution to an image.

    The image is float32 also under mixed precision.
    """

    def __init__(self, filters: int, variant: Variant, **kwargs):
        super().__init__(**kwargs)
        self.blocks = _res_blocks(filters, variant)
        self.conv = Conv(variant.channels, variant.kernel_size, None, dtype="float32", name="conv")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.conv(_run(self.blocks, x))


def _in_16_bits(convolve: Callable, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """`convolve(x, kernel)` in the type of `x`: products of 16 bits, summed in float32.

    That is what hardware with 16 bits does. What TensorFlow does in its place on other processors
    is slow, and wrong by some percent of a kernel's gradient.
    """
    if x.dtype not in (tf.float16, tf.bfloat16) or computes_in(x.dtype.name):
        return convolve(x, kernel)
    return tf.cast(convolve(tf.cast(x, tf.float32), tf.cast(kernel, tf.float32)), x.dtype)


def _add_bias(x: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    # On CPUs the gradient of `bias_add` is summed in bfloat16 and stops growing after some hundred
    # pixels; that of a plain addition is summed in float32. Both are fused with the convolution.
    return x + bias if x.dtype == tf.bfloat16 else tf.nn.bias_add(x, bias)


def _res_blocks(filters: int, variant: Variant) -> list[ResBlock]:
    skip = variant.block == "residual"
    return [
        ResBlock(filters, variant.kernel_size, skip, name=f"block{i + 1}")
        for i in range(variant.blocks)
    ]


def _run(layers: list[keras.layers.Layer], x: tf.Tensor) -> tf.Tensor:
    for layer in layers:
        x = layer(x)
    return x
