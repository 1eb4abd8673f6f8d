"""Eq. 3 and the total variation against NumPy."""

import numpy as np
import numpy_ops
import pytest
import tensorflow as tf

from srn_tf.training.losses import (
    LOSSES,
    image_weights,
    multi_scale_loss,
    total_variation_loss,
)


@pytest.fixture(scope="module")
def sharp():
    return np.random.default_rng(0).uniform(0, 1, (2, 16, 24, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def predictions():
    rng = np.random.default_rng(1)
    sizes = [(16, 24), (8, 12), (4, 6)]
    return [tf.constant(rng.uniform(0, 1, (2, *size, 3)), tf.float32) for size in sizes]


@pytest.mark.parametrize("rule", ["half_pixel", "legacy"])
def test_loss_of_each_scale_is_the_mean_squared_error_to_the_halved_target(
    predictions, sharp, rule
):
    halve = numpy_ops.RESIZE[rule][0]
    targets = [sharp, halve(sharp), halve(halve(sharp))]
    expected = [np.mean((a - b) ** 2) for a, b in zip(predictions, targets)]
    losses = multi_scale_loss(predictions, sharp, rule, tf.ones(len(sharp)))
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


FORMULAS = {
    "l2": lambda x: x**2,
    "l1": np.abs,
    "charbonnier": lambda x: np.sqrt(x**2 + 1e-3**2),
}


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_the_mean_of_its_formula(predictions, sharp, name):
    (loss,) = multi_scale_loss(predictions[:1], sharp, "half_pixel", tf.ones(len(sharp)), name)
    expected = FORMULAS[name](predictions[0].numpy() - sharp).mean()
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_total_variation_sums_neighbours_differences_per_element(predictions):
    expected = sum(
        (np.abs(np.diff(image, axis=1)).sum() + np.abs(np.diff(image, axis=2)).sum()) / image.size
        for image in (prediction.numpy() for prediction in predictions)
    )
    np.testing.assert_allclose(total_variation_loss(predictions), expected, rtol=1e-5)


def test_errors_count_relative_to_those_of_the_blurred_image():
    sharp = np.zeros([3, 4, 4, 3], np.float32)
    errors = np.array([0.1, 0.01, 0.0], np.float32)[:, None, None, None]
    weights = image_weights(sharp + errors, sharp, floor=2.55)  # that is 0.01
    np.testing.assert_allclose(weights, [1 / 0.0101, 1 / 0.0002, 1 / 0.0001], rtol=1e-5)
    (loss,) = multi_scale_loss([sharp + 2 * errors], sharp, "half_pixel", weights)
    expected = np.mean([0.04 / 0.0101, 0.0004 / 0.0002, 0])
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    np.testing.assert_array_equal(image_weights(sharp + errors, sharp, floor=0), 1)
