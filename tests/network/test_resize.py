"""Both bilinear rules against their explicit formulas."""

import numpy as np
import numpy_ops
import pytest
import tensorflow as tf

from srn_tf.network.resize import double, halve, image_pyramid, resize


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).uniform(0, 1, (2, 8, 12, 3)).astype(np.float32)


def test_half_pixel_halving_is_the_mean_of_2x2_pixels(images):
    expected = images.reshape(2, 4, 2, 6, 2, 3).mean((2, 4))
    np.testing.assert_allclose(halve(images, "half_pixel"), expected, atol=1e-6)


def test_legacy_halving_keeps_every_second_pixel(images):
    np.testing.assert_array_equal(halve(images, "legacy"), images[:, ::2, ::2])


def test_half_pixel_doubling_of_a_row():
    row = np.array([0.0, 8.0, 16.0], np.float32).reshape(1, 1, 3, 1)
    doubled = double(row, "half_pixel")
    assert doubled.shape == (1, 2, 6, 1)
    np.testing.assert_allclose(doubled[0, 0, :, 0], [0, 2, 6, 10, 14, 16], atol=1e-5)


def test_legacy_doubling_of_a_row_samples_at_half_the_index():
    row = np.array([0.0, 8.0, 16.0], np.float32).reshape(1, 1, 3, 1)
    doubled = double(row, "legacy")
    assert doubled.shape == (1, 2, 6, 1)
    np.testing.assert_allclose(doubled[0, 0, :, 0], [0, 4, 8, 12, 16, 16], atol=1e-5)


@pytest.mark.parametrize("rule", ["half_pixel", "legacy"])
def test_doubling_equals_its_formula_in_both_directions(images, rule):
    expected = numpy_ops.RESIZE[rule][1](images)
    np.testing.assert_allclose(double(images, rule), expected, atol=1e-6)


def test_pyramid_of_repeated_halving_has_the_4x4_mean(images):
    pyramid = image_pyramid(images, 3, "half_pixel")
    assert [level.shape[1:3] for level in pyramid] == [(8, 12), (4, 6), (2, 3)]
    np.testing.assert_array_equal(pyramid[0], images)
    expected = images.reshape(2, 2, 4, 3, 4, 3).mean((2, 4))
    np.testing.assert_allclose(pyramid[2], expected, atol=1e-6)


def test_legacy_pyramid_keeps_every_fourth_pixel(images):
    np.testing.assert_array_equal(image_pyramid(images, 3, "legacy")[2], images[:, ::4, ::4])


def test_pyramid_of_one_scale_is_the_image(images):
    assert len(image_pyramid(images, 1, "half_pixel")) == 1


@pytest.mark.parametrize("dtype", [tf.float16, tf.float32])
@pytest.mark.parametrize("rule", ["half_pixel", "legacy"])
def test_dtype_is_kept(images, dtype, rule):
    typed = tf.cast(images, dtype)
    assert {t.dtype for t in (halve(typed, rule), double(typed, rule))} == {dtype}
    assert resize(typed, (5, 7), rule).dtype == dtype


def test_sizes_may_be_unknown_when_tracing(images):
    unknown = tf.TensorSpec([None, None, None, 3])
    for operator in (halve, double):
        graph = tf.function(operator).get_concrete_function(unknown, "half_pixel")
        np.testing.assert_array_equal(graph(tf.constant(images)), operator(images, "half_pixel"))


def test_float16_has_gradients_under_xla():
    images = tf.random.stateless_uniform([1, 2, 2, 3], [0, 0], dtype=tf.float16)

    @tf.function(jit_compile=True)
    def gradient(images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            doubled = double(images, "half_pixel")
        return tape.gradient(doubled, images)

    np.testing.assert_array_equal(gradient(images), np.full((1, 2, 2, 3), 4))
