"""The scale-recurrent network of Fig. 3: one encoder-decoder, called once for every scale.

Images are NHWC, RGB or gray, in [0, 1]. Lists over scales are ordered finest first: index 0 is
scale 1 of the paper, the size of the input.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from srn_tf.common.keras import keras
from srn_tf.network.layers import DBlock, EBlock, InBlock, OutBlock
from srn_tf.network.recurrent import CELLS
from srn_tf.network.resize import image_pyramid
from srn_tf.network.upsampling import make_upsampling
from srn_tf.network.variants import Variant, get_variant

WIDTHS = (32, 64, 128)  # channels of InBlock and OutBlock, of the middle, of the bottleneck


class ScaleNet(keras.layers.Layer):
    """What is done at one scale: Net_SR of Eq. 1, that is Net_E, ConvLSTM and Net_D of Eq. 2.

    Args:
      variant: which network of the paper.

    Call arguments:
      images: `[B, H, W, 2 * channels]`, the blurred image beside the upsampled prediction of the
        next coarser scale; H and W multiples of `variant.downsampling`.
      state: that of the next coarser scale, resized; None at the coarsest.

    Returns:
      The prediction `[B, H, W, channels]` and the state, whose tensors are
      `[B, H / variant.downsampling, W / variant.downsampling, 128]`.
    """

    def __init__(self, variant: Variant, **kwargs):
        super().__init__(**kwargs)
        self.variant = variant
        small, middle, large = WIDTHS
        self.in_block = InBlock(small, variant, name="in_block")
        self.eblock1 = EBlock(middle, variant, name="eblock1")
        self.eblock2 = EBlock(large, variant, name="eblock2")
        self.recurrent = CELLS[variant.recurrent](large, name=variant.recurrent)
        self.dblock1 = DBlock(large, variant, name="dblock1")
        self.dblock2 = DBlock(middle, variant, name="dblock2")
        self.out_block = OutBlock(small, variant, name="out_block")

    @property
    def reach(self) -> np.ndarray:
        """How far one pixel of a prediction sees: its receptive field, in pixels of its scale.

        `[to the top or left, to the bottom or right]`; they differ because TensorFlow pads strided
        convolutions more at the bottom and right.
        """
        stride = self.variant.stride  # size of the next coarser pixels
        coarse = self.eblock2.reach + stride * self.recurrent.reach + self.dblock1.reach
        middle = self.eblock1.reach + stride * coarse + self.dblock2.reach
        return self.in_block.reach + middle + self.out_block.reach

    def call(
        self, images: tf.Tensor, state: list[tf.Tensor] | None = None
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        encoded1 = self.in_block(images)
        encoded2 = self.eblock1(encoded1)
        encoded3 = self.eblock2(encoded2)
        if state is None:
            state = self.recurrent.initial_state(encoded3)
        bottleneck, state = self.recurrent(encoded3, state)
        decoded2 = self.dblock1(bottleneck)
        if self.variant.encoder_decoder:
            decoded2 += encoded2
        decoded1 = self.dblock2(decoded2)
        if self.variant.encoder_decoder:
            decoded1 += encoded1
        return self.out_block(decoded1), state


class ScaleRecurrentNet(keras.Model):
    """The whole network: a loop over scales from coarse to fine (Eq. 1).

    Args:
      variant: which network of the paper.

    Call arguments:
      blurred: float32 `[B, H, W, channels]` in [0, 1]; H and W multiples of
        `variant.size_multiple` (16 for the paper's network), which may be unknown when tracing.

    Returns:
      The predictions of all scales, finest first, float32, not clipped.
    """

    def __init__(self, variant: Variant):
        # Under mixed precision the pyramid stays float32; each layer inside casts for itself.
        super().__init__(name="srn", dtype="float32")
        self.variant = variant
        self.restored_step = None  # of the checkpoint that the weights come from
        if variant.shared_weights:
            self.nets = [ScaleNet(variant, name="net")] * variant.scales
        else:
            self.nets = [
                ScaleNet(variant, name=f"net{scale + 1}") for scale in range(variant.scales)
            ]
        # One operator for the image and one for each tensor of the state, from scale to scale.
        self.upsample_image = make_upsampling(
            variant, variant.channels, dtype="float32", name="upsample_image"
        )
        self.upsample_state = [
            make_upsampling(variant, WIDTHS[-1], name=f"upsample_state{i + 1}")
            for i in range(self.nets[0].recurrent.state_count)
        ]

    def call(self, blurred: tf.Tensor) -> list[tf.Tensor]:
        pyramid = image_pyramid(blurred, self.variant.scales, self.variant.resize)
        prediction, state = pyramid[-1], None  # the coarsest scale sees the blurred image twice
        predictions = []
        for net, blurred_here in zip(reversed(self.nets), reversed(pyramid)):
            if predictions:
                # The image is handed on as data; gradients cross scales through the state alone.
                prediction = self.upsample_image(tf.stop_gradient(prediction))
                state = [enlarge(part) for enlarge, part in zip(self.upsample_state, state)]
            prediction, state = net(tf.concat([blurred_here, prediction], axis=-1), state)
            predictions.insert(0, prediction)
        return predictions

    @property
    def recurrent_variables(self) -> list[tf.Variable]:
        """The variables of the recurrent module, whose gradients alone are clipped (Sec. 4)."""
        cells = {id(net): net.recurrent for net in self.nets}.values()
        return [v for cell in cells if cell.state_count for v in cell.trainable_variables]


def build_model(variant: str | Variant) -> ScaleRecurrentNet:
    """A new network with its variables made and initialised, from a variant or its name."""
    if isinstance(variant, str):
        variant = get_variant(variant)
    model = ScaleRecurrentNet(variant)
    model(tf.zeros([1, variant.size_multiple, variant.size_multiple, variant.channels]))
    return model
