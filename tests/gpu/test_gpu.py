"""What only a GPU can show; run by `make test-gpu`, with TF32 off."""

import dataclasses
import statistics
import time

import numpy as np
import pytest
import tensorflow as tf
from pair_folders import write_pairs
from training_steps import do_steps

from srn_tf.common.keras import keras
from srn_tf.data import CACHES, TrainingBatches
from srn_tf.network.model import build_model
from srn_tf.network.variants import get_variant
from srn_tf.training import train
from srn_tf.training.configuration import RunOptions, TrainingConfig
from srn_tf.training.step import Trainer
from srn_tf.weights.run_folder import load_model

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        not tf.config.list_physical_devices("GPU"), reason="TensorFlow sees no GPU here"
    ),
]
SMALL = dataclasses.replace(get_variant("SR-EDRB1"), name="small", published=None)


def test_predictions_are_those_of_the_cpu():
    model = build_model("SR-EDRB3")
    images = np.random.default_rng(0).uniform(0, 1, (2, 64, 96, 3)).astype(np.float32)
    with tf.device("GPU:0"):
        here = model(images)
    with tf.device("CPU:0"):
        there = model(images)
    for one, other in zip(here, there):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_losses_of_three_steps_are_those_of_the_cpu():
    images = np.random.default_rng(0).uniform(0, 1, (2, 3, 2, 64, 64, 3)).astype(np.float32)
    losses = []
    for device in ("GPU:0", "CPU:0"):
        keras.utils.set_random_seed(0)
        trainer = Trainer(TrainingConfig(SMALL, "", batch_size=2, crop_size=64))
        with tf.device(device):
            losses.append([logs["loss"] for logs in do_steps(trainer, *images).logs])
    np.testing.assert_allclose(*losses, rtol=1e-3)


@pytest.mark.parametrize("cache", CACHES)
def test_the_crop_runs_on_the_gpu(tmp_path, cache):
    pairs = write_pairs(tmp_path, [(64, 80)] * 4)
    batches = TrainingBatches(
        pairs, batch_size=2, crop_size=32, channels=3, seed=0, cache=cache, cache_dir=tmp_path
    )
    element = next(iter(batches.dataset()))
    assert all("GPU:0" in part.device for part in element)
    assert all("GPU:0" in part.device for part in tf.function(batches.crop)(*element))


def test_a_mixed_precision_run_ends_with_its_report(tmp_path):
    write_pairs(tmp_path / "data", [(64, 80)] * 4)
    config = TrainingConfig(
        SMALL,
        str(tmp_path / "data"),
        batch_size=2,
        crop_size=32,
        decay_steps=4,
        mixed_precision="float16",
    )
    train(config, RunOptions(validate_every=2), tmp_path / "run")
    assert load_model(tmp_path / "run").restored_step == 4


def test_throughput_of_the_papers_recipe_is_printed():
    trainer = Trainer(TrainingConfig(get_variant("SRN"), ""))
    images = tf.random.uniform([2, 16, 256, 256, 3])
    step = trainer.make_step()
    for _ in range(3):
        step(*images)
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        for _ in range(10):
            step(*images)
        trainer.check()  # waits for the GPU
        seconds.append((time.perf_counter() - began) / 10)
    print(f"\nSRN, batch 16, crops of 256: {16 / statistics.median(seconds):.1f} pairs/s")
    assert all(np.isfinite(list(trainer.take_logs().values())))
