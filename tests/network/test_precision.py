"""Gradients in 16 bits against those in float32, for every variable of every network."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from precision import global_policy
from skimage import data

from srn_tf.common.keras import keras
from srn_tf.network import VARIANTS, build_model
from srn_tf.network.resize import image_pyramid

SIDE = 64
LARGEST_ERROR = {"mixed_bfloat16": 0.05, "mixed_float16": 0.01}  # of the norm of a gradient
# What rounding costs where no skip carries the signal, and where a network of its own sees images
# of 16 pixels, as the coarsest of SC does.
ROUNDED_MORE = {
    ("SR-Flat", "mixed_bfloat16"): 0.2,
    ("SR-ED", "mixed_bfloat16"): 0.2,
    ("SC", "mixed_bfloat16"): 0.2,
    ("SC", "mixed_float16"): 0.2,
    ("SR-EDRB3-SubPixel", "mixed_float16"): 0.02,
}
# The gradients of these span more powers of two than float16 has, whatever the loss is scaled by.
OUT_OF_RANGE = [("SR-Flat", "mixed_float16"), ("SR-ED", "mixed_float16")]
QUICK = ("SR-EDRB1", "mixed_bfloat16")


def photographs(channels):
    """Blurred and sharp parts of photographs, `[4, SIDE, SIDE, channels]` in [0, 1]."""
    parts = [(data.chelsea(), 100, 100), (data.coffee(), 100, 100)]
    parts += [(data.astronaut(), 0, 200), (data.rocket(), 200, 250)]
    sharp = np.stack([image[y : y + SIDE, x : x + SIDE, :channels] for image, y, x in parts])
    sharp = sharp / np.float32(255)
    blurred = np.mean([np.roll(sharp, shift, axis=2) for shift in range(-2, 3)], axis=0)
    return tf.constant(blurred), tf.constant(sharp)


@functools.lru_cache(maxsize=1)
def gradients(name, policy):
    """The gradient of Eq. 3 of each variable, by the variable's name.

    In float16 the loss is scaled by the largest power of two with which no gradient overflows, as a
    training finds it.
    """
    keras.utils.set_random_seed(0)
    with global_policy(policy):
        model = build_model(name)
    blurred, sharp = photographs(model.variant.channels)

    @tf.function(autograph=False)
    def compute(scale):
        with tf.GradientTape() as tape:
            predictions = model(blurred)
            targets = image_pyramid(sharp, len(predictions), model.variant.resize)
            losses = [tf.reduce_mean((p - t) ** 2) for p, t in zip(predictions, targets)]
            loss = scale * tf.add_n(losses)
        return tape.gradient(loss, model.trainable_variables)

    for power in range(24, -1, -4) if policy == "mixed_float16" else [0]:
        found = [g.numpy().astype(float) / 2**power for g in compute(tf.constant(2.0**power))]
        if all(np.isfinite(gradient).all() for gradient in found):
            break
    return dict(zip((variable.name for variable in model.trainable_variables), found))


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        pytest.param(name, policy, marks=[] if (name, policy) == QUICK else [pytest.mark.robust])
        for name in VARIANTS
        for policy in LARGEST_ERROR
        if (name, policy) not in OUT_OF_RANGE
    ],
)
def test_every_gradient_is_that_of_float32(name, policy):
    expected = gradients(name, "float32")
    found = gradients.__wrapped__(name, policy)
    errors = {
        variable: np.linalg.norm(found[variable] - gradient) / np.linalg.norm(gradient)
        for variable, gradient in expected.items()
    }
    kinds = {
        kind: [error for variable, error in errors.items() if kind in variable]
        for kind in ("bias", "kernel")
    }
    for kind, values in kinds.items():
        print(f"{name} {policy} {kind}: {max(values):.4f} at most, {np.median(values):.4f} median")
    limit = ROUNDED_MORE.get((name, policy), LARGEST_ERROR[policy])
    assert max(errors.values()) <= limit, max(errors, key=errors.get)
