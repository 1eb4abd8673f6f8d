"""How fast the parts are on this machine.

    python -m experiments.benchmark data        the training data's sources (about 3 minutes)
    python -m experiments.benchmark training    options of the training step (about 10 minutes)

Everything compared takes turns, and the median of each is reported, so that other load on the
machine hits all alike. "Per core" counts pairs per second of processor time, "waiting" is the share
of its time that a training step of SR-EDRB3 (batch 2, crops of 128) waits for its batch.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import skimage.data
import tensorflow as tf
from absl import flags
from tqdm import tqdm

from srn_tf.common.cli import run
from srn_tf.common.keras import keras
from srn_tf.data import CACHES, Pair, find_pairs, training_batches
from srn_tf.media.images import write_image
from srn_tf.network.variants import get_variant
from srn_tf.training.configuration import TrainingConfig
from srn_tf.training.step import Trainer, make_trainer

_PAIRS = flags.DEFINE_integer("pairs", 50, "number of 1280x720 PNG pairs", lower_bound=1)
_BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", 16, "pairs per batch; for `training`, default 2", lower_bound=1
)
_CROP_SIZE = flags.DEFINE_integer(
    "crop_size", 256, "side of the crops in pixels; for `training`, default 32", lower_bound=16
)
_RUNS = flags.DEFINE_integer(
    "runs", 5, "runs of whatever is compared, of which the median counts", lower_bound=1
)
_SECONDS = flags.DEFINE_float("seconds", 3.0, "least length of a run in seconds")
_STEPS = flags.DEFINE_integer(
    "steps", 5, "training steps of a run, of which the first is left out", lower_bound=2
)

_HEIGHT, _WIDTH = 720, 1280
_FORWARD_GFLOP = 179.7  # of the 5x5 RGB network for a 256x256 image
_TRAINING_FACTOR = 3  # forward pass and both gradients
_GPU_TFLOPS = (10, 30, 100, 300)


class Speed(NamedTuple):
    """Pairs per second of time, and of processor time."""

    wall: float
    processor: float


def main(what: str) -> None:
    """Runs the benchmark of that name."""
    {"data": _benchmark_data, "training": _benchmark_training}[what]()


def _benchmark_data() -> None:
    device = _accelerator()
    with tempfile.TemporaryDirectory() as folder:
        _write_pairs(Path(folder))
        pairs = find_pairs(folder, "train")
        size = statistics.mean(
            os.path.getsize(p) for pair in pairs for p in (pair.blurred, pair.sharp)
        )
        sources = {"naive: decode both PNGs for every crop": _naive_batches(pairs)}
        for cache in CACHES:
            sources[f"--cache={cache}"] = _our_batches(
                pairs, _BATCH_SIZE.value, _CROP_SIZE.value, cache, device
            )
        print(
            f"\n{len(pairs)} pairs of {_WIDTH}x{_HEIGHT} PNGs of {size / 1e6:.2f} MB, batches of "
            f"{_BATCH_SIZE.value} crops of {_CROP_SIZE.value}x{_CROP_SIZE.value}, "
            f"stage on {device}, {os.cpu_count()} cores, median of {_RUNS.value} runs\n"
        )
        speeds = _measured(sources)
        trainer = _new_trainer(2, 128)
        waiting = {
            f"--cache={cache}": _waiting_share(trainer, _our_batches(pairs, 2, 128, cache, device))
            for cache in CACHES
        }
        _print_speeds(speeds, waiting)
    _print_demand()


def _our_batches(pairs, batch_size: int, crop_size: int, cache: str, device: str):
    return training_batches(
        pairs,
        batch_size=batch_size,
        crop_size=crop_size,
        channels=3,
        seed=0,
        cache=cache,
        device=device,
    )


def _accelerator() -> str:
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return "GPU:0"
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    return "CPU:1"


def _write_pairs(root: Path) -> None:
    """Photographs at GoPro's size with a little noise, and a motion blur of them."""
    photographs = [
        skimage.data.astronaut(),
        skimage.data.chelsea(),
        skimage.data.coffee(),
        skimage.data.rocket(),
    ]
    random = np.random.default_rng(0)
    for i in tqdm(range(_PAIRS.value), "writing PNGs", unit="pair"):
        photograph = photographs[i % len(photographs)]
        sharp = cv2.resize(photograph, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_CUBIC)
        sharp = np.clip(sharp + random.normal(0, 1, sharp.shape), 0, 255)
        for folder, image in (("sharp", sharp), ("blur", cv2.blur(sharp, (15, 5)))):
            write_image(root / f"train/{folder}/{i:06}.png", np.rint(image).astype(np.uint8))


def _naive_batches(pairs: Sequence[Pair]) -> tf.data.Dataset:
    files = [[str(pair.blurred), str(pair.sharp)] for pair in pairs]
    window = [2, _CROP_SIZE.value, _CROP_SIZE.value, 3]

    def crop(paths):
        images = [tf.io.decode_png(tf.io.read_file(path)) for path in tf.unstack(paths)]
        crops = tf.image.random_crop(tf.stack(images), window)
        return tf.unstack(tf.cast(crops, tf.float32) / 255)

    dataset = tf.data.Dataset.from_tensor_slices(files).shuffle(len(files)).repeat()
    dataset = dataset.map(crop, tf.data.AUTOTUNE).batch(_BATCH_SIZE.value)
    return dataset.prefetch(tf.data.AUTOTUNE)


def _measured(sources: dict[str, tf.data.Dataset]) -> dict[str, Speed]:
    speeds = {name: [] for name in sources}
    for _ in tqdm(range(_RUNS.value), "measuring", unit="run"):
        for name, dataset in sources.items():
            speeds[name].append(_speed(dataset))
    return {name: Speed(*map(statistics.median, zip(*runs))) for name, runs in speeds.items()}


def _speed(dataset: tf.data.Dataset) -> Speed:
    iterator = iter(dataset)
    next(iterator)  # the first batch waits for the threads to start
    start, processor_start, pairs = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - start < _SECONDS.value:
        next(iterator)
        pairs += _BATCH_SIZE.value
    return Speed(
        pairs / (time.perf_counter() - start), pairs / (time.process_time() - processor_start)
    )


def _print_speeds(speeds: dict[str, Speed], waiting: dict[str, float]) -> None:
    naive = next(iter(speeds.values()))
    print("| Source | pairs/s | times naive | per core | times naive | waiting |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, speed in speeds.items():
        share = f"{waiting[name]:.2%}" if name in waiting else "-"
        print(
            f"| {name} | {speed.wall:.1f} | {speed.wall / naive.wall:.1f} "
            f"| {speed.processor:.1f} | {speed.processor / naive.processor:.1f} | {share} |"
        )


def _print_demand() -> None:
    work = _FORWARD_GFLOP * _TRAINING_FACTOR
    print(
        "\nArithmetic, not measured: pairs/s that keep a GPU busy which sustains that many TFLOP/s"
        f"\n(5x5 network, 256x256 crops, {_TRAINING_FACTOR} x {_FORWARD_GFLOP} GFLOP per pair)\n"
    )
    print("| TFLOP/s | pairs/s |")
    print("|---:|---:|")
    for tflops in _GPU_TFLOPS:
        print(f"| {tflops} | {tflops * 1e3 / work:.0f} |")


class _Clock(keras.callbacks.Callback):
    """Seconds of each step and how long it waited for its batch; the first, which traces, left out.

    `fit` draws no batch ahead of the step that uses it, but the data set's own prefetching does.
    """

    def __init__(self):
        super().__init__()
        self.steps, self.waits = [], []

    def on_train_batch_begin(self, batch, logs=None):
        self.model.data_seconds = 0.0
        self.began = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        if batch > 0:
            self.steps.append(time.perf_counter() - self.began)
            self.waits.append(self.model.data_seconds)


def _new_trainer(
    batch_size: int, crop_size: int, mixed_precision: str = "none", **options
) -> Trainer:
    fields = {"batch_size": batch_size, "crop_size": crop_size, "mixed_precision": mixed_precision}
    fields["ema_decay"] = options.pop("ema_decay", 0.0)
    return make_trainer(TrainingConfig(get_variant("SR-EDRB3"), "", **fields), **options)


def _timed(trainer: Trainer, batches: tf.data.Dataset) -> _Clock:
    clock = _Clock()
    trainer.fit(batches, epochs=1, steps_per_epoch=_STEPS.value, callbacks=[clock], verbose=0)
    return clock


def _waiting_share(trainer: Trainer, batches: tf.data.Dataset) -> float:
    clock = _timed(trainer, batches)
    return sum(clock.waits) / sum(clock.steps)


def _benchmark_training() -> None:
    """Seconds of a training step under each speed option, beside the default."""
    batch_size = _BATCH_SIZE.value if _BATCH_SIZE.present else 2  # float16 is slow on CPUs
    crop_size = _CROP_SIZE.value if _CROP_SIZE.present else 32
    options = {
        "default": {},
        "--mixed_precision=float16": {"mixed_precision": "float16"},
        "--mixed_precision=bfloat16": {"mixed_precision": "bfloat16"},
        "--jit_compile": {"jit_compile": True},
        "--ema_decay=0.999": {"ema_decay": 0.999},
        "--accumulate=2": {"accumulate": 2},
    }
    random = np.random.default_rng(0)
    images = random.random([2, batch_size, crop_size, crop_size, 3], np.float32)
    batches = tf.data.Dataset.from_tensors((*images, np.zeros(batch_size, np.int64))).repeat()
    trainers = {name: _new_trainer(batch_size, crop_size, **o) for name, o in options.items()}
    seconds = {name: [] for name in options}
    for _ in tqdm(range(_RUNS.value), "measuring", unit="run"):
        for name, trainer in trainers.items():
            seconds[name].append(statistics.median(_timed(trainer, batches).steps))
    default = next(iter(seconds.values()))
    print(
        f"\nSR-EDRB3, batch {batch_size}, crops of {crop_size}x{crop_size}, "
        f"{os.cpu_count()} cores, median of {_RUNS.value} runs of {_STEPS.value - 1} steps\n"
    )
    print("| Option | s/step | times default |")
    print("|---|---:|---:|")
    for name, runs in seconds.items():
        ratio = statistics.median(mine / base for mine, base in zip(runs, default))
        print(f"| {name} | {statistics.median(runs):.2f} | {ratio:.2f} |")


if __name__ == "__main__":
    run(main, choices=("data", "training"))
