"""Batches for training: `tf.data` from sample counters to crops in the accelerator's memory.

    counter -> pair and window -> load (host, parallel) -> crop, cast, scale (accelerator)
            -> batch -> prefetch to the accelerator

A `tf.data` map runs on the host, but operations under `tf.device` inside it are placed on that
device. The stage uses only operations that have GPU kernels for their types; others would fall
back to the host without a word (`tf.slice` and `tf.image.random_crop` on uint8 would).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from srn_tf.common.errors import InputError
from srn_tf.data.frames import make_frames
from srn_tf.data.order import sample_at, steps_per_epoch
from srn_tf.data.pairs import Pair


def training_batches(
    pairs: Sequence[Pair],
    *,
    batch_size: int,
    crop_size: int,
    channels: int,
    seed: int,
    start_step: int = 0,
    augment: bool = False,
    cache: str = "none",
    cache_dir: Path | None = None,
    device: str | None = None,
    context: tf.distribute.InputContext | None = None,
) -> tf.data.Dataset:
    """The endless sequence of training batches, from `start_step` on.

    Elements are `(blurred, sharp, index)`: float32 `[B, crop_size, crop_size, channels]` in
    [0, 1] twice, and int64 `[B]`, the positions in `pairs`. For distributed training:

        strategy.distribute_datasets_from_function(
            lambda context: training_batches(..., context=context))

    Args:
      pairs: of any sizes; those of `find_pairs`.
      batch_size: of all replicas together.
      crop_size: side of the random square windows in pixels.
      channels: 3 for RGB, 1 for gray (`tf.image.rgb_to_grayscale`).
      seed: of the order and the windows, which depend on nothing but it and the step.
      start_step: number of steps that a resumed run has done already.
      augment: turn each pair by a random flip and rotation by multiples of 90 degrees.
      cache: "none", "disk" or "device", see `srn_tf.data.frames`; the batches are the same.
      cache_dir: folder of the disk cache.
      device: where the stage after loading runs; by default the first GPU, if there is one.
      context: which part of the batches this process makes; B is then the size per replica.

    Raises:
      InputError: a pair is smaller than the crop, the batch is larger than the number of pairs or
        not divisible by the replicas, or what the caches raise. Unreadable images are found while
        iterating only: see `srn_tf.data.frames.input_error`.
    """
    steps_per_epoch(len(pairs), batch_size)  # raises if the batch is too large
    _check_sizes(pairs, crop_size)
    part = context or tf.distribute.InputContext()
    replicas = part.num_replicas_in_sync
    if batch_size % replicas:
        raise InputError(f"a batch of {batch_size} cannot be divided among {replicas} replicas")
    device = device or _first_gpu()
    frames = make_frames(cache, pairs, crop_size=crop_size, device=device, cache_dir=cache_dir)
    sizes = np.array([pair.size for pair in pairs], np.int64)
    share = batch_size // part.num_input_pipelines

    def load(n):
        k = n // share * batch_size + part.input_pipeline_id * share + n % share
        sample = sample_at(k, sizes, seed=seed, batch_size=batch_size, crop_size=crop_size)
        loaded = frames.load(sample.index, sample.y, sample.x)
        return loaded, sample.turn, sample.index

    def crop(loaded, turn, index):
        with tf.device(device):
            pair, y, x = frames.unpack(*loaded)
            blurred, sharp = crop_and_scale(
                pair, y, x, turn if augment else None, crop_size=crop_size, channels=channels
            )
        return blurred, sharp, index

    dataset = (
        tf.data.Dataset.range(start_step * share, np.iinfo(np.int64).max)
        .map(load, tf.data.AUTOTUNE)
        .map(crop, tf.data.AUTOTUNE)
        .batch(batch_size // replicas, drop_remainder=True)
    )
    if device and context is None:  # a distribution strategy prefetches by itself
        return dataset.apply(tf.data.experimental.prefetch_to_device(device))
    return dataset.prefetch(tf.data.AUTOTUNE)


def crop_and_scale(
    pair: tf.Tensor,
    y: tf.Tensor,
    x: tf.Tensor,
    turn: tf.Tensor | None = None,
    *,
    crop_size: int,
    channels: int,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Cuts the window at (y, x) out of both images: the stage that runs on the accelerator.

    Args:
      pair: uint8 `[2, H, W, 3]`, blurred and sharp.
      y: first row, int32 scalar (which TensorFlow keeps in host memory, where slicing wants it).
      x: first column, int32 scalar.
      turn: as `srn_tf.data.order.Sample.turn`; None leaves the window as it is.
      crop_size: side of the window in pixels.
      channels: 3, or 1 for gray.

    Returns:
      blurred and sharp, float32 `[crop_size, crop_size, channels]` in [0, 1].
    """
    window = pair[:, y : y + crop_size, x : x + crop_size]
    if turn is not None:
        window = window[:, :: 1 - 2 * turn[0], :: 1 - 2 * turn[1]]
        window = tf.transpose(window, tf.stack([0, 1 + turn[2], 2 - turn[2], 3]))
    window = tf.ensure_shape(window, [2, crop_size, crop_size, 3])
    window = tf.cast(window, tf.float32) / 255
    if channels == 1:
        window = tf.image.rgb_to_grayscale(window)
    blurred, sharp = tf.unstack(window)
    return blurred, sharp


def _check_sizes(pairs: Sequence[Pair], crop_size: int) -> None:
    for pair in pairs:
        height, width = pair.size
        if min(height, width) < crop_size:
            raise InputError(
                f"{pair.blurred} is {width}x{height} pixels, smaller than the crop of "
                f"{crop_size}x{crop_size}"
            )


def _first_gpu() -> str | None:
    gpus = tf.config.list_logical_devices("GPU")
    return gpus[0].name if gpus else None
