"""The authors' own graph: its outputs, and ten steps of its training.

`recordings/` holds both for weights from a seed. More of them, with the weights (85 MB), are read
from the folder that the environment variable AUTHORS_RECORDINGS names. The errors are shown by
`pytest -s tests/network/test_parity.py`.
"""

import functools
import os
from pathlib import Path

import numpy as np
import pytest
import seeded
import tensorflow as tf
from reference import relative_error
from training_steps import do_steps

from srn_tf.network.model import build_model
from srn_tf.network.variants import RELEASED, get_variant
from srn_tf.training.configuration import TrainingConfig
from srn_tf.training.step import Trainer
from srn_tf.weights.released import authors_name, import_weights

RECORDINGS = Path(__file__).parent / "recordings"
FIXTURES = Path(os.environ.get("AUTHORS_RECORDINGS", "no recordings"))
STEPS = 10

with_fixtures = pytest.mark.skipif(
    not FIXTURES.is_dir(), reason="AUTHORS_RECORDINGS names no folder"
)


def fill(net, source):
    """Gives `net` the seeded weights, or those of the checkpoint of that model."""
    if source == "seeded":
        variables = {authors_name(variable.name): variable for variable in net.variables}
        shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
        for name, value in seeded.weights(shapes).items():
            variables[name].assign(value)
    else:
        import_weights(net, str(FIXTURES / "official_tf1" / source / "deblur.model-523000"))
    return net


@functools.cache
def graph_of(name, source):
    """The network as a graph that does not know the sizes of images."""
    net = fill(build_model(name), source)
    image = tf.TensorSpec([None, None, None, net.variant.channels])
    return tf.function(net).get_concrete_function(image)


def assert_same_predictions(name, source, path):
    case = np.load(path)
    blurred = tf.constant(case["image"][None].astype(np.float32) / 255)
    gray = get_variant(name).channels == 1
    if gray:  # R, G and B are a batch of three images
        blurred = tf.transpose(blurred, [3, 1, 2, 0])
    predictions = graph_of(name, source)(blurred)
    for prediction, scale in zip(predictions, ["fine", "middle", "coarse"]):
        if gray:
            prediction = tf.transpose(prediction, [3, 1, 2, 0])
        expected = case[scale].reshape(1, *case[scale].shape[-3:])
        error = relative_error(prediction, expected)
        print(f"{name} {path.stem} {scale}: relative error {error:.1e}")
        assert prediction.shape == expected.shape
        assert error < 1e-5


@pytest.mark.parametrize("size", ["48x80", "64x32"])
@pytest.mark.parametrize("name", [variant.name for variant in RELEASED])
def test_predictions_are_those_of_the_authors_graph(name, size):
    path = RECORDINGS / f"forward_{name}_{size}.npz"
    height, width = map(int, size.split("x"))
    image = seeded.blurred_images(seeded.sharp_images((height, width, 3), height))
    np.testing.assert_array_equal(np.load(path)["image"], image)
    assert_same_predictions(name, "seeded", path)


@with_fixtures
@pytest.mark.parametrize("name", [variant.name for variant in RELEASED])
def test_predictions_from_a_checkpoint_are_those_of_the_authors_graph(name):
    paths = sorted((FIXTURES / "official_tf1" / name).glob("case_*.npz"))
    assert paths
    for path in paths:
        assert_same_predictions(name, name, path)


def trained(name, source, clip_norm, blurred, sharp):
    """Our network after ten steps, the first batch, and what was logged at each step."""
    variant = get_variant(name)
    trainer = Trainer(
        TrainingConfig(
            variant=variant,
            data_dir="",
            batch_size=2,
            crop_size=64,
            end_learning_rate=0.0,
            decay_steps=1000,
            clip_norm=clip_norm,
        )
    )
    fill(trainer.net, source)
    images = [array.astype(np.float32) / 255 for array in (blurred, sharp)]
    if variant.channels == 1:
        images = [tf.image.rgb_to_grayscale(image).numpy() for image in images]
    steps = do_steps(trainer, *images).logs
    logs = {name: np.array([step[name] for step in steps]) for name in steps[0]}
    return trainer.net, images[0][0], logs


def assert_same_training(title, recorded, net, first_batch, logs):
    assert len(logs["loss"]) == STEPS
    pairs = {
        f"loss of scale {scale}": (
            logs[f"loss_scale{scale}"],
            recorded["losses_coarse_to_fine"][:, 3 - scale],
        )
        for scale in (1, 2, 3)
    }
    pairs["learning rate"] = (logs["learning_rate"], recorded["learning_rate"])
    if net.recurrent_variables:
        norms = (logs["recurrent_gradient_norm"], recorded["recurrent_gradient_norm"])
        pairs["recurrent gradient norm"] = norms
    errors = {what: np.abs(a / b - 1).max() for what, (a, b) in pairs.items()}

    ours = {authors_name(variable.name): variable.numpy() for variable in net.variables}
    assert set(ours) == set(recorded["variable_names"])
    errors["sum of a variable"] = max(
        abs(ours[name].sum(dtype=float) - total) / absolute
        for name, (total, absolute) in zip(
            recorded["variable_names"], recorded["variable_sum_abs_sum"]
        )
    )
    errors["fine prediction afterwards"] = relative_error(
        net(first_batch)[0], recorded["fine_after"]
    )
    for what, error in errors.items():
        print(f"{title}, {what}: relative error {error:.1e}")
    assert max(errors.values()) < 1e-3


@pytest.mark.parametrize(
    ("name", "clip_norm"),
    [
        ("lstm", 0.01),
        pytest.param("lstm", 0, marks=pytest.mark.robust),
        pytest.param("color", 0, marks=pytest.mark.robust),
    ],
)
def test_ten_steps_of_training_are_those_of_the_authors_graph(name, clip_norm):
    path = RECORDINGS / f"training_{name}_clip{clip_norm}.npz"
    sharp = seeded.sharp_images((STEPS, 2, 64, 64, 3), 7)
    run = trained(name, "seeded", clip_norm, seeded.blurred_images(sharp), sharp)
    assert_same_training(path.stem, np.load(path), *run)


@with_fixtures
@pytest.mark.robust
@pytest.mark.parametrize("stem", ["lstm_clip0", "lstm_clip1", "color_clip0"])
def test_ten_steps_from_a_checkpoint_are_those_of_the_authors_graph(stem):
    recorded = np.load(FIXTURES / "official_training" / f"{stem}.npz")
    name, _, clipped = stem.partition("_clip")
    run = trained(name, name, 3.0 * int(clipped), recorded["blurred"], recorded["sharp"])
    assert_same_training(stem, recorded, *run)
