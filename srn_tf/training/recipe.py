"""Losses and schedules by name: each is one function and one line of a table.

They use operators alone, so that flags can list the names without importing TensorFlow; a function
that needs more of TensorFlow imports it inside.
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


# Of the difference of two pixels; the loss is the mean of it.
LOSSES = {"l2": squared, "l1": absolute, "charbonnier": charbonnier}
# How much is left of the learning rate, from 1 to 0, at a progress from 0 to 1.
SCHEDULES = {"polynomial": polynomial, "cosine": cosine, "constant": constant}
