"""The blocks of Fig. 3: InBlock, EBlock, DBlock, OutBlock, made of ResBlocks.

All are Keras layers on `[B, H, W, C]`, SAME-padded as TensorFlow pads (a stride-2 convolution pads
more at the bottom and right), weights Xavier uniform, biases zero (Sec. 4). ReLU follows every
convolution and deconvolution but the second of a ResBlock and the last of the network; there is
none after the sum of a ResBlock. That is what the released code does.
"""

from __future__ import annotations

import tensorflow as tf

from srn_tf.common.keras import keras


@keras.utils.register_keras_serializable("srn_tf")
class PlainBlock(keras.layers.Layer):
    """Two convolutions with ReLU: what SR-ED and SR-Flat have in place of a ResBlock.

    Args:
      filters: number of channels, in and out.
      kernel_size: of both convolutions, in pixels.
    """

    second_activation = "relu"

    def __init__(self, filters: int, kernel_size: int = 3, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.conv1 = conv("conv1", filters, kernel_size)
        self.conv2 = conv("conv2", filters, kernel_size, activation=self.second_activation)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.conv2(self.conv1(x))

    def get_config(self) -> dict:
        config = {"filters": self.filters, "kernel_size": self.kernel_size}
        return {**super().get_config(), **config}


@keras.utils.register_keras_serializable("srn_tf")
class ResBlock(PlainBlock):
    """x + conv(relu(conv(x))) (Sec. 3.2; no batch normalisation)."""

    second_activation = None

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return x + super().call(x)


BLOCKS = {"residual": ResBlock, "plain": PlainBlock}


class _Stage(keras.layers.Layer):
    """A row of equal blocks and one more convolution, which the subclasses place.

    Args:
      filters: number of channels of the blocks.
      blocks: how many there are.
      block: "residual" or "plain".
      kernel_size: of all convolutions, in pixels.
    """

    def __init__(
        self,
        filters: int,
        blocks: int = 3,
        block: str = "residual",
        kernel_size: int = 3,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self._options = {
            "filters": filters,
            "blocks": blocks,
            "block": block,
            "kernel_size": kernel_size,
        }
        self.filters = filters
        self.kernel_size = kernel_size
        self.blocks = [
            BLOCKS[block](filters, kernel_size, name=f"block{i + 1}") for i in range(blocks)
        ]

    def _run_blocks(self, x: tf.Tensor) -> tf.Tensor:
        for block in self.blocks:
            x = block(x)
        return x

    def get_config(self) -> dict:
        return {**super().get_config(), **self._options}


@keras.utils.register_keras_serializable("srn_tf")
class EBlock(_Stage):
    """A convolution of stride 2, then the blocks: halves the size.

    Args:
      stride: of the convolution; 1 in SR-Flat and SR-RB, which keep the size.
    """

    def __init__(self, filters: int, *args, stride: int = 2, **kwargs):
        super().__init__(filters, *args, **kwargs)
        self.stride = stride
        self.conv = conv("conv", filters, self.kernel_size, strides=stride)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self._run_blocks(self.conv(x))

    def get_config(self) -> dict:
        return {**super().get_config(), "stride": self.stride}


@keras.utils.register_keras_serializable("srn_tf")
class InBlock(EBlock):
    """A convolution of the input images, then the blocks: keeps the size."""

    def __init__(self, *args, stride: int = 1, **kwargs):
        super().__init__(*args, stride=stride, **kwargs)


@keras.utils.register_keras_serializable("srn_tf")
class DBlock(_Stage):
    """The blocks, then a 4x4 deconvolution of stride 2 to half as many channels: doubles the size.

    Args:
      stride: 2, or 1 for a convolution in place of the deconvolution (SR-Flat and SR-RB).
    """

    def __init__(self, filters: int, *args, stride: int = 2, **kwargs):
        super().__init__(filters, *args, **kwargs)
        self.stride = stride
        if stride == 1:
            self.up = conv("conv", filters // 2, self.kernel_size)
        else:
            self.up = keras.layers.Conv2DTranspose(
                filters // 2, 4, strides=stride, padding="same", activation="relu", name="deconv"
            )

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.up(self._run_blocks(x))

    def get_config(self) -> dict:
        return {**super().get_config(), "stride": self.stride}


@keras.utils.register_keras_serializable("srn_tf")
class OutBlock(_Stage):
    """The blocks, then a linear convolution to an image, in float32 also under mixed precision.

    Args:
      channels: of the image, 1 or 3.
    """

    def __init__(self, filters: int, *args, channels: int = 3, **kwargs):
        super().__init__(filters, *args, **kwargs)
        self.channels = channels
        self.conv = conv("conv", channels, self.kernel_size, activation=None, dtype="float32")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.conv(self._run_blocks(x))

    def get_config(self) -> dict:
        return {**super().get_config(), "channels": self.channels}


def conv(name: str, filters: int, kernel_size: int, **kwargs) -> keras.layers.Conv2D:
    """A SAME-padded convolution, with ReLU unless `activation` says otherwise."""
    kwargs = {"activation": "relu", **kwargs}
    return keras.layers.Conv2D(filters, kernel_size, padding="same", name=name, **kwargs)
