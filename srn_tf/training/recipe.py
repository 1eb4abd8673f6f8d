"""Losses and schedules by name: each is one function and one line of a table.

A loss is applied to the difference of prediction and sharp image, float32 `[B, H, W, C]`, and keeps
its shape; its mean is taken elsewhere. A schedule gets how much of its length is done, a float32
scalar from 0 to 1, and `decay_power`; it falls from 1 at 0 to 0 at 1. The learning rate is
(start - end) * schedule + end.

Flags list the names without importing TensorFlow, so a function that needs it imports it inside.
"""

from __future__ import annotations

import math


def squared(difference):
    """The paper's (Eq. 3)."""
    return difference * difference


def absolute(difference):
    """L1."""
    return abs(difference)


def charbonnier(difference):
    """L1, smooth at 0."""
    return (difference * difference + 1e-6) ** 0.5


def polynomial(progress, power):
    """The paper's (Sec. 4)."""
    return (1 - progress) ** power


def cosine(progress, power):
    """Half a cosine."""
    import tensorflow as tf

    return 0.5 + 0.5 * tf.cos(math.pi * progress)


def constant(progress, power):
    """No decay."""
    return 1 + 0 * progress


LOSSES = {"l2": squared, "l1": absolute, "charbonnier": charbonnier}
SCHEDULES = {"polynomial": polynomial, "cosine": cosine, "constant": constant}
