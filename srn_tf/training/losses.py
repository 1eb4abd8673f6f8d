"""The training losses. Images are `[B, H, W, C]` in [0, 1]; lists over scales are finest first."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from srn_tf.network.resize import image_pyramid
from srn_tf.training.recipe import LOSSES

_LEAST_ERROR = 1e-10  # mean squared: equal images have 100 dB, and no infinity enters a mean


def multi_scale_loss(
    predictions: list[tf.Tensor],
    sharp: tf.Tensor,
    rule: str,
    weights: tf.Tensor,
    loss: str = "l2",
) -> list[tf.Tensor]:
    """The Euclidean loss of each scale (Eq. 3): the mean squared error, a scalar each.

    Their sum is the paper's loss; all its weights kappa are 1.

    Args:
      predictions: of all scales, finest first.
      sharp: the ground truth at full size, halved for the coarser scales.
      rule: the network's resize rule, by which the targets are made too.
      weights: `[B]`, of the images; the paper's are 1.
      loss: a key of `LOSSES`; "l2" is Eq. 3.
    """
    targets = image_pyramid(sharp, len(predictions), rule)
    return [
        tf.reduce_mean(weights * tf.reduce_mean(LOSSES[loss](ours - target), axis=[1, 2, 3]))
        for ours, target in zip(predictions, targets)
    ]


def image_weights(blurred: tf.Tensor, sharp: tf.Tensor, floor: float) -> tf.Tensor:
    """Weights `[B]` with which errors count in proportion to those of the blurred images.

    Under Eq. 3 alone the strongly blurred images of a batch outweigh all others, and mildly blurred
    ones may come out worse than they were.

    Args:
      floor: root mean squared error in gray levels, well below which blurred images count alike;
        0 gives weights of 1.
    """
    if not floor:
        return tf.ones(tf.shape(blurred)[:1])
    return 1 / (mean_squared_error(blurred, sharp) + (floor / 255) ** 2)


def mean_squared_error(images: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """The mean squared error of each image of the batch, `[B]`."""
    return tf.reduce_mean(tf.math.squared_difference(images, others), axis=[1, 2, 3])


def mean_psnr(images: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Mean over the batch of the PSNR in dB of images in [0, 1]."""
    errors = tf.maximum(mean_squared_error(images, others), _LEAST_ERROR)
    return tf.reduce_mean(-10 / np.log(10) * tf.math.log(errors))


def total_variation_loss(predictions: list[tf.Tensor]) -> tf.Tensor:
    """Sum over scales of the absolute differences of neighbouring pixels, per element; a scalar.

    Sec. 3.3 tried it beside Eq. 3 and found the latter enough.
    """
    return tf.add_n(
        [
            tf.reduce_sum(tf.image.total_variation(prediction))
            / tf.cast(tf.size(prediction), prediction.dtype)
            for prediction in predictions
        ]
    )
