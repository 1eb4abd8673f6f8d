"""The scale-recurrent network of Fig. 3: one encoder-decoder, called once for every scale.

Images are NHWC, RGB or gray, in [0, 1]. Lists over scales are ordered finest first: index 0 is
scale 1 of the paper, the size of the input.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from srn_tf.common.keras import keras
from srn_tf.network import recurrent
from srn_tf.network.layers import DBlock, EBlock, OutBlock
from srn_tf.network.resize import image_pyramid
from srn_tf.network.upsampling import make_upsampling
from srn_tf.network.variants import RECURRENT, Variant, get_variant

State = recurrent.State


class ScaleNet(keras.layers.Layer):
    """What is done at one scale: Net_SR of Eq. 1, that is Net_E, ConvLSTM and Net_D of Eq. 2.

    Args:
      variant: which network of the paper.

    Call arguments:
      images: `[B, H, W, 2 * channels]`, the blurred image beside the upsampled prediction of the
        next coarser scale; H and W multiples of `variant.downsampling`.
      state: that of the next coarser scale, resized; None at the coarsest, which starts with
        zeros.

    Returns:
      The prediction `[B, H, W, channels]` and the state, whose tensors are
      `[B, H / variant.downsampling, W / variant.downsampling, 4 * variant.width]`.
    """

    def __init__(self, variant: Variant, **kwargs):
        super().__init__(**kwargs)
        width, stride = variant.width, variant.stride
        self.variant = variant
        self.in_block = EBlock(width, 1, variant, name="in_block")
        self.eblock1 = EBlock(2 * width, stride, variant, name="eblock1")
        self.eblock2 = EBlock(4 * width, stride, variant, name="eblock2")
        cell = getattr(recurrent, RECURRENT[variant.recurrent])
        self.recurrent = cell(4 * width, name=variant.recurrent)
        self.dblock1 = DBlock(4 * width, variant, name="dblock1")
        self.dblock2 = DBlock(2 * width, variant, name="dblock2")
        self.out_block = OutBlock(width, variant, name="out_block")

    def call(self, images: tf.Tensor, state: State | None = None) -> tuple[tf.Tensor, State]:
        encoded1 = self.in_block(images)
        encoded2 = self.eblock1(encoded1)
        encoded3 = self.eblock2(encoded2)
        if not state:
            state = [tf.zeros_like(encoded3)] * self.recurrent.state_count
        bottleneck, state = self.recurrent(encoded3, state)
        decoded2 = self.dblock1(bottleneck)
        if self.variant.encoder_decoder:
            decoded2 += encoded2
        decoded1 = self.dblock2(decoded2)
        if self.variant.encoder_decoder:
            decoded1 += encoded1
        return self.out_block(decoded1), state


class ScaleRecurrentNet(keras.Model):
    """The whole network.

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
            self.nets = [ScaleNet(variant, name=f"net{i + 1}") for i in range(variant.scales)]
        # One operator for the image and one for each tensor of the state, from scale to scale.
        self.upsample_image = make_upsampling(
            variant, variant.channels, dtype="float32", name="upsample_image"
        )
        self.upsample_state = [
            make_upsampling(variant, 4 * variant.width, name=f"upsample_state{i + 1}")
            for i in range(self.nets[0].recurrent.state_count)
        ]

    def call(self, blurred: tf.Tensor) -> list[tf.Tensor]:
        pyramid = image_pyramid(blurred, self.variant.scales, self.variant.resize)
        return self.from_coarse_to_fine(pyramid, self.at_scale)

    def from_coarse_to_fine(self, pyramid: list, run_scale: Callable) -> list:
        """The loop over scales of Eq. 1; returns the predictions of all, finest first.

        Args:
          pyramid: the blurred image in every size, finest first.
          run_scale: what computes one of them, `at_scale` or a function that cuts into tiles.
        """
        predictions, state = [], None
        for scale in reversed(range(len(pyramid))):
            coarser = predictions[0] if predictions else None
            prediction, state = run_scale(scale, pyramid[scale], coarser, state)
            predictions.insert(0, prediction)
        return predictions

    def at_scale(
        self, scale: int, blurred: tf.Tensor, coarser: tf.Tensor | None, state: State | None
    ) -> tuple[tf.Tensor, State]:
        """The prediction and the state of one scale.

        Args:
          scale: 0 is the finest.
          blurred: `[B, H, W, channels]`, the blurred image at this scale.
          coarser: `[B, H / 2, W / 2, channels]`, the prediction of the next coarser scale; None at
            the coarsest scale, which sees the blurred image twice.
          state: that of the next coarser scale.
        """
        image = blurred
        if coarser is not None:
            # The image is handed on as data; gradients cross scales through the state alone.
            image = self.upsample_image(tf.stop_gradient(coarser))
            state = [enlarge(part) for enlarge, part in zip(self.upsample_state, state)]
        return self.nets[scale](tf.concat([blurred, image], axis=-1), state)

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
