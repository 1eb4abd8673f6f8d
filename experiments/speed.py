"""How fast the parts are: the measurements of `experiments.benchmark`."""

from __future__ import annotations

import functools
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import skimage.data
import tensorflow as tf

from srn_tf.common.errors import InputError
from srn_tf.common.progress import progress
from srn_tf.data import CACHES, Pair, TrainingBatches, find_pairs
from srn_tf.media.images import write_image
from srn_tf.network.variants import get_variant
from srn_tf.training.configuration import TrainingConfig
from srn_tf.training.step import Trainer

_HEIGHT, _WIDTH = 720, 1280
_FORWARD_GFLOP = 179.7  # of the 5x5 RGB network for a 256x256 image
_TRAINING_FACTOR = 3  # forward pass and both gradients
_GPU_TFLOPS = (10, 30, 100, 300)


class Speed(NamedTuple):
    """Pairs per second of time, and of processor time."""

    wall: float
    processor: float


def benchmark_data(
    pairs_count: int, batch_size: int, crop_size: int, runs: int, seconds: float, steps: int
) -> None:
    """Prints the speed of each source of the training data, and how long a step waits for it.

    Args:
      pairs_count: number of 1280x720 PNG pairs.
      batch_size: pairs per batch.
      crop_size: side of the crops in pixels.
      runs: runs of each source, of which the median counts.
      seconds: least length of a run.
      steps: training steps of a run, of which the first is left out.
    """
    device = _accelerator()
    with tempfile.TemporaryDirectory() as folder:
        _write_pairs(Path(folder), pairs_count)
        pairs = find_pairs(folder, "train")
        size = statistics.mean(
            os.path.getsize(p) for pair in pairs for p in (pair.blurred, pair.sharp)
        )
        naive = functools.partial(iter, _naive_batches(pairs, batch_size, crop_size))
        sources = {"naive: decode both PNGs for every crop": naive}
        for cache in CACHES:
            ours = _our_batches(pairs, batch_size, crop_size, cache, device)
            sources[f"--cache={cache}"] = functools.partial(_cropped, ours, device)
        print(
            f"\n{len(pairs)} pairs of {_WIDTH}x{_HEIGHT} PNGs of {size / 1e6:.2f} MB, batches of "
            f"{batch_size} crops of {crop_size}x{crop_size}, "
            f"stage on {device}, {os.cpu_count()} cores, median of {runs} runs\n"
        )
        speeds = _measured(sources, batch_size, runs, seconds)
        trainer = _new_trainer(2, 128)
        waiting = {
            f"--cache={cache}": _waiting_share(
                trainer, _our_batches(pairs, 2, 128, cache, device), steps
            )
            for cache in CACHES
        }
        _print_speeds(speeds, waiting)
    _print_demand()


def _our_batches(
    pairs: Sequence[Pair], batch_size: int, crop_size: int, cache: str, device: str
) -> TrainingBatches:
    return TrainingBatches(
        pairs,
        batch_size=batch_size,
        crop_size=crop_size,
        channels=3,
        seed=0,
        cache=cache,
        devices=[device],
    )


def _cropped(batches: TrainingBatches, device: str) -> Iterator:
    """Draws batches as a training step does: what travels is cropped on the device."""
    crop = tf.function(batches.crop)
    for element in batches.dataset():
        with tf.device(device):
            yield crop(*element)


def _accelerator() -> str:
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return "GPU:0"
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    return "CPU:1"


def _write_pairs(root: Path, count: int) -> None:
    """Photographs at GoPro's size with a little noise, and a motion blur of them."""
    photographs = [
        skimage.data.astronaut(),
        skimage.data.chelsea(),
        skimage.data.coffee(),
        skimage.data.rocket(),
    ]
    random = np.random.default_rng(0)
    for i in progress(range(count), "writing PNGs", unit="pair"):
        photograph = photographs[i % len(photographs)]
        sharp = cv2.resize(photograph, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_CUBIC)
        sharp = np.clip(sharp + random.normal(0, 1, sharp.shape), 0, 255)
        for folder, image in (("sharp", sharp), ("blur", cv2.blur(sharp, (15, 5)))):
            write_image(root / f"train/{folder}/{i:06}.png", np.rint(image).astype(np.uint8))


def _naive_batches(pairs: Sequence[Pair], batch_size: int, crop_size: int) -> tf.data.Dataset:
    files = [[str(pair.blurred), str(pair.sharp)] for pair in pairs]
    window = [2, crop_size, crop_size, 3]

    def crop(paths):
        images = [tf.io.decode_png(tf.io.read_file(path)) for path in tf.unstack(paths)]
        crops = tf.image.random_crop(tf.stack(images), window)
        return tf.unstack(tf.cast(crops, tf.float32) / 255)

    dataset = tf.data.Dataset.from_tensor_slices(files).shuffle(len(files)).repeat()
    dataset = dataset.map(crop, tf.data.AUTOTUNE).batch(batch_size)
    return dataset.prefetch(tf.data.AUTOTUNE)


def _measured(
    sources: dict[str, Callable[[], Iterator]], batch_size: int, runs: int, seconds: float
) -> dict[str, Speed]:
    speeds = {name: [] for name in sources}
    for _ in progress(range(runs), "measuring", unit="run"):
        for name, start in sources.items():
            speeds[name].append(_speed(start(), batch_size, seconds))
    return {name: Speed(*map(statistics.median, zip(*each))) for name, each in speeds.items()}


def _speed(iterator: Iterator, batch_size: int, seconds: float) -> Speed:
    next(iterator)  # the first batch waits for the threads to start
    start, processor_start, pairs = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - start < seconds:
        next(iterator)
        pairs += batch_size
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


def _new_trainer(
    batch_size: int, crop_size: int, mixed_precision: str = "none", **options
) -> Trainer:
    fields = {"batch_size": batch_size, "crop_size": crop_size, "mixed_precision": mixed_precision}
    fields["ema_decay"] = options.pop("ema_decay", 0.0)
    return Trainer(TrainingConfig(get_variant("SR-EDRB3"), "", **fields), **options)


def _timed(trainer: Trainer, elements: Iterator, steps: int, crop=None) -> tuple[list, list]:
    """Seconds of each step and how long it waited for its batch, without the first, which traces.

    The data set prefetches while a step computes.
    """
    step, seconds, waits = trainer.make_step(crop), [], []
    for _ in range(steps):
        began = time.perf_counter()
        element = next(elements)
        waits.append(time.perf_counter() - began)
        step(*element)
        trainer.take_logs()  # waits for the device
        seconds.append(time.perf_counter() - began)
    return seconds[1:], waits[1:]


def _waiting_share(trainer: Trainer, batches: TrainingBatches, steps: int) -> float:
    seconds, waits = _timed(trainer, iter(batches.dataset()), steps, batches.crop)
    return sum(waits) / sum(seconds)


def benchmark_training(batch_size: int, crop_size: int, runs: int, steps: int) -> None:
    """Prints the seconds of a training step under each speed option, beside the default.

    The arguments are those of `benchmark_data`.
    """
    if batch_size % 2:
        raise InputError(f"--batch_size={batch_size} cannot be halved for --accumulate=2")
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
    batch = tuple(map(tf.constant, images))
    trainers = {name: _new_trainer(batch_size, crop_size, **o) for name, o in options.items()}
    seconds = {name: [] for name in options}
    for _ in progress(range(runs), "measuring", unit="run"):
        for name, trainer in trainers.items():
            seconds[name].append(
                statistics.median(_timed(trainer, itertools.repeat(batch), steps)[0])
            )
    default = next(iter(seconds.values()))
    print(
        f"\nSR-EDRB3, batch {batch_size}, crops of {crop_size}x{crop_size}, "
        f"{os.cpu_count()} cores, median of {runs} runs of {steps - 1} steps\n"
    )
    print("| Option | s/step | times default |")
    print("|---|---:|---:|")
    for name, mine in seconds.items():
        ratio = statistics.median(one / base for one, base in zip(mine, default))
        print(f"| {name} | {statistics.median(mine):.2f} | {ratio:.2f} |")
