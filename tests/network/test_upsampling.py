"""The three operators that enlarge image and state between scales, against NumPy."""

import dataclasses

import numpy as np
import numpy_ops
import pytest
import tensorflow as tf
from precision import global_policy

from srn_tf.network.model import build_model
from srn_tf.network.upsampling import make_upsampling
from srn_tf.network.variants import VARIANTS

CHANNELS = 3
UPSAMPLINGS = ("bilinear", "deconvolution", "sub_pixel")
BASE = VARIANTS["SR-EDRB1"]


def make(upsampling, random_weights=True):
    """An operator, and images for it."""
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 1, (2, 5, 7, CHANNELS)).astype(np.float32)
    variant = dataclasses.replace(BASE, upsampling=upsampling)
    operator = make_upsampling(variant, CHANNELS, name="tested")
    operator(images)
    if random_weights:
        for variable in getattr(operator, "variables", []):
            variable.assign(rng.normal(0, 0.3, variable.shape))
    return operator, images


def sub_pixel(x, kernel, bias):
    """Channels 4k .. of a convolution, in this order, are the pixels of a square of 2x2."""
    features = numpy_ops.conv(x, kernel, bias)
    batch, height, width, _ = features.shape
    squares = features.reshape(batch, height, width, 2, 2, CHANNELS)
    return squares.transpose(0, 1, 3, 2, 4, 5).reshape(batch, 2 * height, 2 * width, CHANNELS)


EXPECTED = {
    "bilinear": numpy_ops.half_pixel_double,
    "deconvolution": numpy_ops.deconv,
    "sub_pixel": sub_pixel,
}


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
def test_operator_equals_its_definition(upsampling):
    operator, images = make(upsampling)
    weights = [variable.numpy() for variable in getattr(operator, "variables", [])]
    expected = EXPECTED[upsampling](images, *weights)
    assert expected.shape == (2, 10, 14, CHANNELS)
    np.testing.assert_allclose(operator(images), expected, atol=1e-5)


def test_new_deconvolution_doubles_as_bilinear_resizing_does_inside_the_image():
    operator, images = make("deconvolution", random_weights=False)
    expected = numpy_ops.half_pixel_double(images)
    inside = np.s_[:, 1:-1, 1:-1]  # beyond the border the one sees zeros, the other the border
    np.testing.assert_allclose(operator(images)[inside], expected[inside], atol=1e-6)
    assert np.abs(operator(images) - expected)[:, 0].min() > 1e-3


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
def test_operator_sees_one_pixel_further(upsampling):
    operator, images = make(upsampling)
    row = 2
    changed = images.copy()
    changed[:, row] += 1
    (rows,) = np.nonzero(np.abs(operator(changed) - operator(images)).max(axis=(0, 2, 3)))
    assert rows.min() >= 2 * (row - 1)
    assert rows.max() < 2 * (row + 2)
    assert len(rows) >= 4  # of which two are the row itself


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
def test_image_crosses_scales_as_data_and_its_operator_learns_from_the_finer_scale(upsampling):
    variant = dataclasses.replace(
        BASE, upsampling=upsampling, shared_weights=False, scales=2, recurrent="conv_gru"
    )
    model = build_model(variant)
    image = tf.constant(np.random.default_rng(0).uniform(0, 1, (1, 16, 16, 3)), tf.float32)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(image)[0]))
    names = [variable.name.split("/")[1:3] for variable in model.trainable_variables]
    gradients = tape.gradient(loss, model.trainable_variables)
    reached = {"/".join(name) for name, g in zip(names, gradients) if g is not None and np.any(g)}
    assert "net2/conv_gru" in reached
    assert "net2/out_block" not in reached
    operators = {name.partition("/")[0] for name in reached if name.startswith("upsample")}
    learned = upsampling != "bilinear"
    assert operators == ({"upsample_image", "upsample_state1"} if learned else set())


def test_recurrent_variables_are_those_of_the_cell_alone():
    names = [variable.name for variable in build_model("SR-EDRB3-SubPixel").recurrent_variables]
    assert names == ["srn/net/conv_lstm/gates/kernel:0", "srn/net/conv_lstm/gates/bias:0"]


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
def test_mixed_precision_keeps_the_state_in_float16_and_the_image_in_float32(upsampling):
    variant = dataclasses.replace(BASE, upsampling=upsampling)
    with global_policy("mixed_float16"):
        model = build_model(variant)
        assert {prediction.dtype for prediction in model(tf.zeros([1, 16, 16, 3]))} == {tf.float32}
        assert model.upsample_image(tf.zeros([1, 4, 4, 3])).dtype == tf.float32
        state = tf.zeros([1, 4, 4, 128], tf.float16)
        assert model.upsample_state[0](state).dtype == tf.float16
    assert {variable.dtype for variable in model.variables} == {tf.float32}
