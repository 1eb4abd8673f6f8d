"""The one resize operator of the network: bilinear, by a factor of two (Sec. 3.1).

"Bilinear" has two meanings. TensorFlow 2 places samples at pixel centres (`half_pixel`): halving is
the mean of 2x2 pixels. TensorFlow 1.4, with which the authors trained, does not (`legacy`): halving
keeps every second pixel. Released weights need the legacy rule for images, states and targets.
Halving twice is not the same as quartering under `half_pixel` (which would skip pixels), so
pyramids are made by repeated halving. Images and features are `[B, H, W, C]`.
"""

from __future__ import annotations

import tensorflow as tf


def resize(images: tf.Tensor, size: tf.Tensor | tuple[int, int], rule: str) -> tf.Tensor:
    """Bilinear resize to `size` (height, width) under `rule`, "half_pixel" or "legacy".

    The dtype is kept. The kernel itself always returns float32, and the gradient that XLA has for
    it does too, even of float16 images: so it is given float32.
    """
    resized = tf.raw_ops.ResizeBilinear(
        images=tf.cast(images, tf.float32), size=size, half_pixel_centers=rule == "half_pixel"
    )
    return tf.cast(resized, images.dtype)


def halve(images: tf.Tensor, rule: str) -> tf.Tensor:
    """`[B, H, W, C]` to `[B, H/2, W/2, C]`; H and W even."""
    return resize(images, tf.shape(images)[1:3] // 2, rule)


def double(images: tf.Tensor, rule: str) -> tf.Tensor:
    """`[B, H, W, C]` to `[B, 2H, 2W, C]`: the operator written as an arrow up in Eq. 1."""
    return resize(images, tf.shape(images)[1:3] * 2, rule)


def image_pyramid(images: tf.Tensor, scales: int, rule: str) -> list[tf.Tensor]:
    """`images` and its `scales - 1` repeated halvings, finest first."""
    pyramid = [images]
    while len(pyramid) < scales:
        pyramid.append(halve(pyramid[-1], rule))
    return pyramid
