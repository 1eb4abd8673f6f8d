"""The adversarial loss that the paper tried beside Eq. 3 and found not to be needed (Sec. 3.3).

The paper tells no details. What is here is the loss of Nah et al. (CVPR 2017), with which it
compares itself: a network that tells sharp images from predictions learns beside ours, and ours is
rewarded for misleading it. It sees the finest prediction alone, without the blurred image. Both
sides learn from the same predictions in the same step, with an Adam of the same schedule each.
"""

from __future__ import annotations

import tensorflow as tf

from srn_tf.common.keras import keras
from srn_tf.training.configuration import ADVERSARIAL_CROP, TrainingConfig
from srn_tf.training.optimizer import Adam

_CHANNELS = (32, 32, 64, 64, 128, 128, 256, 256, 512, 512)
_STRIDES = (1, 2, 1, 2, 1, 4, 1, 4, 1, 4)


class Discriminator(keras.Model):
    """How sharp images look, in logits: above zero is sharp, below is deblurred.

    Ten convolutions without biases, 5x5 and SAME-padded but for the last, which is 4x4 and not
    padded, each with LeakyReLU of slope 0.2; then one of 1x1. No normalisation. It computes in
    float32 also under mixed precision: beside the network it is cheap.

    Call arguments:
      images: float32 `[B, H, W, C]` in [0, 1]; H and W at least 256.

    Returns:
      `[B, H // 256, W // 256, 1]`: one logit for each square of 256 pixels.
    """

    def __init__(self):
        super().__init__(name="discriminator", dtype="float32")
        last = len(_CHANNELS) - 1
        self.convs = [
            keras.layers.Conv2D(
                channels,
                4 if i == last else 5,
                strides=stride,
                padding="valid" if i == last else "same",
                use_bias=False,
                dtype="float32",
                name=f"conv{i + 1}",
            )
            for i, (channels, stride) in enumerate(zip(_CHANNELS, _STRIDES))
        ]
        self.classifier = keras.layers.Conv2D(1, 1, dtype="float32", name="classifier")

    def call(self, images: tf.Tensor) -> tf.Tensor:
        x = images
        for conv in self.convs:
            x = tf.nn.leaky_relu(conv(x), alpha=0.2)
        return self.classifier(x)


class Adversary(tf.Module):
    """The other side: a discriminator and its optimizer. Made under the strategy's scope."""

    LOSSES = ("loss_adversarial", "loss_discriminator")

    def __init__(self, config: TrainingConfig):
        super().__init__(name="adversary")
        self.discriminator = Discriminator()
        self.discriminator(
            tf.zeros([1, ADVERSARIAL_CROP, ADVERSARIAL_CROP, config.variant.channels])
        )
        self.optimizer = Adam(config, self.discriminator.trainable_variables)

    def losses(self, prediction: tf.Tensor, sharp: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scalars under the names of `LOSSES`: what ours is to lower, and what this side is.

        The cross entropy of the predictions' logits with the claim that they are sharp; that of all
        logits with the truth.
        """
        fake, real = self.discriminator(prediction), self.discriminator(sharp)
        misleading = tf.reduce_mean(tf.nn.softplus(-fake))
        telling = tf.reduce_mean(tf.nn.softplus(-real)) + tf.reduce_mean(tf.nn.softplus(fake))
        return dict(zip(self.LOSSES, (misleading, telling)))

    def gradients(self, tape: tf.GradientTape, losses: dict[str, tf.Tensor]) -> list[tf.Tensor]:
        """Those of the discriminator's own loss."""
        return tape.gradient(losses["loss_discriminator"], self.discriminator.trainable_variables)

    def update(self, gradients: list[tf.Tensor], applied: tf.Tensor) -> None:
        """Applies gradients that are summed over the replicas already; see `Adam.update`."""
        self.optimizer.update(self.discriminator.trainable_variables, gradients, applied)
