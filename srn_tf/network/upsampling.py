"""The operator written as an arrow up in Eq. 1: `[B, H, W, C]` to `[B, 2H, 2W, C]`.

Sec. 3.1 names three choices: bilinear resizing, which the paper takes, deconvolution and sub-pixel
convolution (Shi et al., CVPR 2016). The paper tells no details of the two that learn; here both are
linear, with biases. Every operator sees at most one pixel beyond those that it enlarges, which the
tiles of srn_tf.inference rely on.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from srn_tf.common.keras import keras
from srn_tf.network.layers import Conv, Deconv
from srn_tf.network.resize import double
from srn_tf.network.variants import Variant


def make_upsampling(variant: Variant, channels: int, **kwargs) -> Callable[[tf.Tensor], tf.Tensor]:
    """The variant's operator for images or features of so many channels.

    `kwargs` go to the Keras layer where the operator learns; the bilinear one has no weights.
    """
    if variant.upsampling == "bilinear":
        return functools.partial(double, rule=variant.resize)
    if variant.upsampling == "deconvolution":
        return Deconv(channels, activation=None, kernel_initializer=_bilinear_kernel, **kwargs)
    return SubPixelConv(channels, **kwargs)


class SubPixelConv(keras.layers.Layer):
    """A 3x3 convolution to four times the channels, which become the pixels of 2x2 squares."""

    def __init__(self, channels: int, **kwargs):
        super().__init__(**kwargs)
        self.conv = Conv(4 * channels, 3, activation=None, dtype=kwargs.get("dtype"), name="conv")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.nn.depth_to_space(self.conv(x), 2)


def _bilinear_kernel(shape: tuple[int, ...], dtype: tf.DType | None = None, **_) -> tf.Tensor:
    """`[4, 4, C, C]`: the deconvolution then doubles each channel as `half_pixel` does, inside."""
    ramp = np.array([0.25, 0.75, 0.75, 0.25])
    kernel = np.multiply.outer(np.outer(ramp, ramp), np.eye(shape[-1]))
    return tf.constant(kernel, dtype)
