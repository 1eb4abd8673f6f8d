"""How fast each source of the training data is on this machine, beside decoding for every crop.

    python -m experiments.data_speed

The sources take turns, and the median of each is reported, so that other load on the machine hits
all alike. "Per core" counts pairs per second of processor time. How long the steps of a training
wait for their batches stands in the lines of its log.

Time: two minutes.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from srn_tf.common.cli import run
from srn_tf.common.flags import define_flags, read_flags
from srn_tf.common.options import number
from srn_tf.common.progress import progress
from srn_tf.common.start import start_tensorflow
from srn_tf.data import CACHES, find_pairs
from srn_tf.media.images import write_image

if TYPE_CHECKING:
    import tensorflow as tf

    from srn_tf.data import Pair

_HEIGHT, _WIDTH = 720, 1280


@dataclasses.dataclass(frozen=True)
class Flags:
    """How much is measured.

    Data:
      pairs: Number of 1280x720 PNG pairs.
      batch_size: Pairs per batch.
      crop_size: Side of the crops in pixels.

    Length:
      runs: Runs of each source, of which the median counts.
      seconds: Least length of a run.
    """

    pairs: int = number(50, least=1)
    batch_size: int = number(16, least=1, most=2**16)
    crop_size: int = number(256, least=16, most=720)
    runs: int = number(5, least=1)
    seconds: float = number(3.0, least=1e-3, most=3600)


class Speed(NamedTuple):
    """Pairs per second of time, and of processor time."""

    wall: float
    processor: float


def main() -> None:
    """Prints the speed of each source of the training data."""
    start_tensorflow()
    flags, device = read_flags(Flags), _accelerator()
    with tempfile.TemporaryDirectory() as folder:
        _write_pairs(Path(folder), flags.pairs)
        pairs = find_pairs(folder, "train")
        size = statistics.mean(
            os.path.getsize(p) for pair in pairs for p in (pair.blurred, pair.sharp)
        )
        sources = {"naive: decode both PNGs for every crop": _naive_batches(pairs, flags)}
        for cache in CACHES:
            sources[f"--cache={cache}"] = functools.partial(
                _our_batches, pairs, flags, cache, device
            )
        print(
            f"\n{len(pairs)} pairs of {_WIDTH}x{_HEIGHT} PNGs of {size / 1e6:.2f} MB, batches of "
            f"{flags.batch_size} crops of {flags.crop_size}x{flags.crop_size}, "
            f"stage on {device}, {os.cpu_count()} cores, median of {flags.runs} runs\n"
        )
        _print_speeds(_measured(sources, flags))


def _accelerator() -> str:
    """A GPU, or else a second device of the CPU that stands in for one."""
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        return "GPU:0"
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    return "CPU:1"


def _write_pairs(root: Path, count: int) -> None:
    """Photographs at GoPro's size with a little noise, and a motion blur of them."""
    import skimage.data

    names = ("astronaut", "chelsea", "coffee", "rocket")
    photographs = [getattr(skimage.data, name)() for name in names]
    random = np.random.default_rng(0)
    for i in progress(range(count), "writing PNGs", unit="pair"):
        photograph = photographs[i % len(photographs)]
        sharp = cv2.resize(photograph, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_CUBIC)
        sharp = np.clip(sharp + random.normal(0, 1, sharp.shape), 0, 255)
        for folder, image in (("sharp", sharp), ("blur", cv2.blur(sharp, (15, 5)))):
            write_image(root / f"train/{folder}/{i:06}.png", np.rint(image).astype(np.uint8))


def _naive_batches(pairs: Sequence[Pair], flags: Flags) -> Callable[[], Iterator]:
    import tensorflow as tf

    files = [[str(pair.blurred), str(pair.sharp)] for pair in pairs]
    window = [2, flags.crop_size, flags.crop_size, 3]

    def crop(paths):
        images = [tf.io.decode_png(tf.io.read_file(path)) for path in tf.unstack(paths)]
        crops = tf.image.random_crop(tf.stack(images), window)
        return tf.unstack(tf.cast(crops, tf.float32) / 255)

    dataset = tf.data.Dataset.from_tensor_slices(files).shuffle(len(files)).repeat()
    dataset = dataset.map(crop, tf.data.AUTOTUNE).batch(flags.batch_size)
    return functools.partial(iter, dataset.prefetch(tf.data.AUTOTUNE))


def _our_batches(
    pairs: Sequence[Pair], flags: Flags, cache: str, device: str
) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
    """Draws batches as a training step does: what travels is cropped on the device."""
    import tensorflow as tf

    from srn_tf.data import TrainingBatches

    batches = TrainingBatches(
        pairs,
        batch_size=flags.batch_size,
        crop_size=flags.crop_size,
        channels=3,
        seed=0,
        cache=cache,
        devices=[device],
    )
    crop = tf.function(batches.crop)
    for element in batches.dataset():
        with tf.device(device):
            yield crop(*element)


def _measured(sources: dict[str, Callable[[], Iterator]], flags: Flags) -> dict[str, Speed]:
    speeds = {name: [] for name in sources}
    for _ in progress(range(flags.runs), "measuring", unit="run"):
        for name, begin in sources.items():
            speeds[name].append(_speed(begin(), flags.batch_size, flags.seconds))
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


def _print_speeds(speeds: dict[str, Speed]) -> None:
    naive = next(iter(speeds.values()))
    print("| Source | pairs/s | times naive | per core | times naive |")
    print("|---|---:|---:|---:|---:|")
    for name, speed in speeds.items():
        print(
            f"| {name} | {speed.wall:.1f} | {speed.wall / naive.wall:.1f} "
            f"| {speed.processor:.1f} | {speed.processor / naive.processor:.1f} |"
        )


if __name__ == "__main__":
    define_flags(Flags)
    run(main)
