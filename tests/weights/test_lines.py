"""What one line of TensorFlow (2.15, or 2.21 with tf-keras) has saved, the other goes on with."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from srn_tf.inference import tiling
from srn_tf.inference.deblurrer import Deblurrer
from srn_tf.network import model as network
from srn_tf.network.variants import Variant
from srn_tf.training.beginning import saved
from srn_tf.training.configuration import TrainingConfig
from srn_tf.training.step import make_trainer
from srn_tf.weights.run_folder import Checkpoints, checkpoint_folder, load_model, read_config

WRITTEN = Path(__file__).with_name("written_by_2_15")


@pytest.fixture(autouse=True)
def narrow_networks(monkeypatch):
    for module in (network, tiling):
        monkeypatch.setattr(module, "WIDTHS", (2, 4, 8))


def test_a_checkpoint_of_2_15_deblurs_to_the_same_bytes():
    image = np.random.default_rng(1).integers(0, 256, (24, 33, 3), np.uint8)
    expected = np.load(WRITTEN / "deblurred.npy")
    assert expected.std() > 1
    deblurred = Deblurrer(load_model(WRITTEN))(image)
    np.testing.assert_array_equal(deblurred, expected)


def test_a_checkpoint_of_2_15_is_trained_further(tmp_path):
    shutil.copytree(WRITTEN, tmp_path / "run")
    training = read_config(tmp_path / "run")["training"]
    config = TrainingConfig(
        **{**training, "variant": Variant.from_dict(training["variant"]), "data_dir": ""}
    )
    trainer = make_trainer(config)
    folder = checkpoint_folder(tmp_path / "run")
    assert Checkpoints(folder, saved(trainer), 1).restore() == 2
    before = trainer.net.get_weights()
    assert int(trainer.step.numpy()) == int(trainer.optimizer.iterations.numpy()) == 2
    images = np.random.default_rng(0).random([2, 1, 16, 16, 3], np.float32)
    batch = tf.data.Dataset.from_tensors((*images,)).repeat()
    trainer.fit(batch, epochs=1, steps_per_epoch=1, verbose=0)
    assert int(trainer.step.numpy()) == 3
    changes = [np.abs(a - b).max() for a, b in zip(before, trainer.net.get_weights())]
    assert 0 < max(changes) < 1e-3  # Adam's slots came along: no first step of a new optimizer
