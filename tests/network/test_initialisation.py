"""A new network that returns its input, beside one under the paper's initialisation."""

import dataclasses

import numpy as np
import numpy_ops
import pytest
import tensorflow as tf

from srn_tf.common.errors import InputError
from srn_tf.common.keras import keras
from srn_tf.network.initialisation import start_as_identity
from srn_tf.network.model import build_model
from srn_tf.network.variants import VARIANTS


def largest_errors(model, image):
    """Of each scale's prediction, against the blurred image halved for that scale."""
    halve = numpy_ops.RESIZE[model.variant.resize][0]
    errors = []
    for prediction in model(image):
        errors.append(np.abs(prediction - image).max())
        image = halve(image)
    return errors


def image_for(variant):
    shape = (1, 32, 32, variant.channels)
    return np.random.default_rng(0).uniform(0, 1, shape).astype(np.float32)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_can_start_as_the_identity(name):
    keras.utils.set_random_seed(0)
    model = build_model(name)
    image = image_for(model.variant)
    assert min(largest_errors(model, image)) > 0.2  # Xavier: no identity
    start_as_identity(model)
    assert max(largest_errors(model, image)) < 0.05
    assert min(largest_errors(model, image)) > 0  # the other weights take part


@pytest.mark.parametrize("recurrent", ["conv_gru", "conv_lstm"])
def test_other_networks_can_too(recurrent):
    keras.utils.set_random_seed(0)
    variant = dataclasses.replace(
        VARIANTS["SR-EDRB1"], recurrent=recurrent, shared_weights=False, scales=2
    )
    model = build_model(variant)
    start_as_identity(model)
    assert max(largest_errors(model, image_for(variant))) < 0.05


def test_a_cell_that_no_image_passes_is_refused():
    model = build_model("SR-RB,recurrent=conv_gru,blocks=1,width=8")
    with pytest.raises(InputError, match="cannot start as the identity: pass --start=xavier"):
        start_as_identity(model)


def test_every_weight_can_still_learn():
    keras.utils.set_random_seed(0)
    model = build_model("SR-EDRB1")
    start_as_identity(model)
    image = tf.constant(image_for(model.variant))
    with tf.GradientTape() as tape:
        loss = tf.add_n([tf.reduce_mean(tf.square(x)) for x in model(image)])
    gradients = tape.gradient(loss, model.trainable_variables)
    blocked = {
        variable.name.removeprefix("srn/net/")
        for variable, gradient in zip(model.trainable_variables, gradients)
        if not np.any(gradient)
    }
    # Only what stands before a second convolution of zeros waits for its first step.
    assert all("/block1/conv1/" in name for name in blocked)
