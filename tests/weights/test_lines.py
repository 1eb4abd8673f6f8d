"""What one line of TensorFlow (2.15, or 2.21 with tf-keras) has saved, the other resumes from."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from srn_tf.inference.deblurrer import Deblurrer
from srn_tf.network.variants import Variant
from srn_tf.training.configuration import TrainingConfig
from srn_tf.training.step import Trainer
from srn_tf.weights.run_folder import Checkpoints, checkpoint_folder, load_model, read_config

ROOT = Path(__file__).parents[2]
WRITTEN = Path(__file__).with_name("written_by_2_15")
# A user's program: the Keras that TensorFlow brings is touched before the package is imported.
PROGRAM = """
import os, sys
from pathlib import Path

import numpy as np
import tensorflow as tf

tf.keras.Model
tf.config.run_functions_eagerly(True)  # sooner done than traced
moved = []
os.dup2 = lambda *files, **options: moved.append(files)

from srn_tf.network.variants import get_variant
from srn_tf.training.configuration import TrainingConfig
from srn_tf.training.step import Trainer
from srn_tf.weights.run_folder import Checkpoints, checkpoint_folder, write_config

assert not moved, "the package took the program's streams"
run = Path(sys.argv[1])
config = TrainingConfig(variant=get_variant("SR-EDRB1,width=2"), data_dir="")
trainer = Trainer(config)
np.savez(run / "before.npz", *trainer.net.get_weights())
images = np.random.default_rng(0).random([2, 1, 16, 16, 3], np.float32)
trainer.make_step()(*images)
np.savez(run / "after.npz", *trainer.net.get_weights())
Checkpoints(checkpoint_folder(run), trainer.checkpointed(), 1).save(1)
write_config(run, config.variant, training={"max_steps": 1})
"""


def test_a_checkpoint_of_2_15_deblurs_to_the_same_bytes():
    image = np.random.default_rng(1).integers(0, 256, (24, 33, 3), np.uint8)
    expected = np.load(WRITTEN / "deblurred.npy")
    assert expected.std() > 1
    deblurred = Deblurrer(load_model(WRITTEN), precision="float32")(image)
    np.testing.assert_array_equal(deblurred, expected)


@pytest.fixture
def eager():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.usefixtures("eager")  # one step is sooner done than traced
def test_a_checkpoint_of_2_15_is_trained_further(tmp_path):
    shutil.copytree(WRITTEN, tmp_path / "run")
    training = read_config(tmp_path / "run")["training"]
    config = TrainingConfig(
        **{**training, "variant": Variant.from_dict(training["variant"]), "data_dir": ""}
    )
    trainer = Trainer(config)
    folder = checkpoint_folder(tmp_path / "run")
    assert Checkpoints(folder, trainer.checkpointed(), 1).restore() == 2
    before = trainer.net.get_weights()
    assert int(trainer.step.numpy()) == int(trainer.optimizer.iterations.numpy()) == 2
    images = np.random.default_rng(0).random([2, 1, 16, 16, 3], np.float32)
    trainer.make_step()(*images)
    assert int(trainer.step.numpy()) == 3
    changes = [np.abs(a - b).max() for a, b in zip(before, trainer.net.get_weights())]
    assert 0 < max(changes) < 1e-3  # Adam's slots came along: no first step of a new optimizer


def test_a_program_that_touched_the_keras_of_tensorflow_first_trains_and_saves_all(tmp_path):
    subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    net = load_model(tmp_path)
    before, after = (np.load(tmp_path / f"{when}.npz") for when in ("before", "after"))
    assert len(net.variables) == len(after) == 38
    assert all(np.any(before[name] != after[name]) for name in after)
    for variable, expected in zip(net.variables, after.values()):
        np.testing.assert_array_equal(variable, expected)
