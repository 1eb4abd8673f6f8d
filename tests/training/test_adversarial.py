"""The adversarial loss: the discriminator, both sides' gradients, and what a checkpoint keeps."""

import numpy as np
import pytest
import tensorflow as tf
from networks import TINY
from training_steps import do_steps

from srn_tf.common.errors import InputError
from srn_tf.common.keras import keras
from srn_tf.training.adversarial import Discriminator
from srn_tf.training.configuration import TrainingConfig
from srn_tf.training.step import Trainer

WEIGHT = 0.01


def trainer_for(**fields):
    keras.utils.set_random_seed(0)
    settings = {"data_dir": "", "batch_size": 1, "learning_rate": 1e-3, **fields}
    return Trainer(TrainingConfig(variant=TINY, **settings))


@pytest.fixture(scope="module")
def images():
    """Blurred and sharp."""
    rng = np.random.default_rng(0)
    return [tf.constant(rng.uniform(0, 1, (1, 256, 256, 3)), tf.float32) for _ in range(2)]


@pytest.fixture(scope="module")
def trainer():
    return trainer_for(adversarial=WEIGHT)


def judged(weights, images):
    """The discriminator as Nah et al. describe it, in plain TensorFlow."""
    *kernels, classifier, bias = weights
    for kernel, stride in zip(kernels, (1, 2, 1, 2, 1, 4, 1, 4, 1, 4)):
        padding = "VALID" if kernel.shape[0] == 4 else "SAME"
        images = tf.nn.conv2d(images, kernel, stride, padding)
        images = tf.maximum(images, 0.2 * images)
    return tf.nn.conv2d(images, classifier, 1, "VALID") + bias


def cross_entropy(logits, label):
    probability = 1 / (1 + np.exp(-np.asarray(logits, float)))
    return -np.mean(np.log(probability if label else 1 - probability))


def test_discriminator_has_the_layers_of_nah_et_al(trainer, images):
    weights = trainer.adversary.discriminator.get_weights()
    channels = (3, 32, 32, 64, 64, 128, 128, 256, 256, 512, 512)
    sizes = (5,) * 9 + (4,)
    expected = [(k, k, a, b) for k, a, b in zip(sizes, channels, channels[1:])]
    assert [w.shape for w in weights] == [*expected, (1, 1, 512, 1), (1,)]
    found = trainer.adversary.discriminator(images[1])
    assert found.shape == (1, 1, 1, 1)
    np.testing.assert_allclose(found, judged(weights, images[1]), rtol=1e-4)


def test_larger_crops_have_a_logit_for_each_256_pixels():
    assert Discriminator().compute_output_shape((1, 512, 768, 3)) == (1, 2, 3, 1)


def test_each_side_has_the_gradients_of_its_own_loss(trainer, images):
    blurred, sharp = images
    weights = [tf.constant(w) for w in trainer.adversary.discriminator.get_weights()]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(weights)
        prediction = trainer.net(blurred)[0]
        fake, real = judged(weights, prediction), judged(weights, sharp)
        ours = tf.reduce_mean((prediction - sharp) ** 2) - WEIGHT * tf.math.log_sigmoid(fake)
        theirs = -tf.math.log_sigmoid(real) - tf.math.log(1 - tf.sigmoid(fake))
    expected = tape.gradient(ours, trainer.net.trainable_variables)
    expected += tape.gradient(theirs, weights)
    values, ours, theirs = tf.function(trainer.gradients)(blurred, sharp)
    gradients = [*ours, *theirs]
    assert len(gradients) == len(expected)
    for found, wanted in zip(gradients, expected):
        # Rounded otherwise, a value may fall on the other side of a LeakyReLU's kink.
        assert np.linalg.norm(found - wanted) <= 0.01 * np.linalg.norm(wanted)
    logs = dict(zip(trainer.log_names, values.numpy()))
    assert logs["loss_adversarial"] == pytest.approx(cross_entropy(fake, 1), rel=1e-4)
    telling = cross_entropy(real, 1) + cross_entropy(fake, 0)
    assert logs["loss_discriminator"] == pytest.approx(telling, rel=1e-4)
    assert logs["loss"] == pytest.approx(
        logs["loss_scale1"] + WEIGHT * logs["loss_adversarial"], rel=1e-5
    )


@pytest.mark.usefixtures("eager")
def test_a_checkpoint_brings_both_sides_back_and_a_run_without_holds_neither(tmp_path, images):
    trainer = trainer_for(adversarial=WEIGHT)
    before = trainer.adversary.discriminator.get_weights()
    do_steps(trainer, *([image] for image in images))
    trainer.check()
    learned = trainer.adversary.discriminator.get_weights()
    assert all(np.any(a != b) for a, b in zip(before, learned))
    path = tf.train.Checkpoint(**trainer.checkpointed()).write(str(tmp_path / "checkpoint"))
    again = trainer_for(adversarial=WEIGHT, seed=1)
    tf.train.Checkpoint(**again.checkpointed()).read(path).assert_consumed()
    found = [*again.adversary.variables, *again.net.variables]
    for variable, wanted in zip(found, [*trainer.adversary.variables, *trainer.net.variables]):
        np.testing.assert_array_equal(variable, wanted)
    without = trainer_for(crop_size=16)
    assert without.adversary is None
    assert "adversary" not in without.checkpointed()


def test_crops_smaller_than_the_discriminator_needs_are_refused():
    with pytest.raises(InputError, match="adversarial needs a crop_size of 256 or more"):
        TrainingConfig(TINY, "", adversarial=WEIGHT, crop_size=64)
