"""Batches for training: `tf.data` from sample counters to uint8 pixels, and one crop on the device.

    counter -> pair and window -> load (host, parallel) -> batch -> to the accelerator
            -> in the graph of the step: gather the windows, cast, scale

What travels is one table of integers and, unless the frames lie on the accelerator already, uint8
pixels; nothing comes back. `crop` is one gather for the whole batch: the places of the window's
pixels, flipped and turned as wanted, are computed where they are used. It takes only operations
that have GPU kernels for their types; others would fall back to the host without a word.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from srn_tf.common.errors import InputError
from srn_tf.data.caches import CACHES
from srn_tf.data.frames import DeviceFrames, DiskFrames, FileFrames
from srn_tf.data.order import sample_at, steps_per_epoch
from srn_tf.data.pairs import Pair

# Batches ahead, on the host and on the device. AUTOTUNE would double their number at each pause of
# the training that is followed by waiting.
_PREFETCHED = 2


class TrainingBatches:
    """The training data: what travels in each step, and how it becomes a batch.

        batches = TrainingBatches(pairs, batch_size=16, crop_size=256, channels=3, seed=0)
        for element in batches.dataset():
            blurred, sharp = batches.crop(*element)      # in the graph of the step

    For distributed training, in which every replica crops its own share:

        strategy.distribute_datasets_from_function(lambda context: batches.dataset(0, context))

    Args:
      pairs: of any sizes; those of `find_pairs`.
      batch_size: of all replicas together.
      crop_size: side of the random square windows in pixels.
      channels: 3 for RGB, 1 for gray (`tf.image.rgb_to_grayscale`).
      seed: of the order and the windows, which depend on nothing but it and the step.
      augment: turn each pair by a random flip and rotation by multiples of 90 degrees.
      cache: "none", "disk" or "device", see `srn_tf.data.frames`; the batches are the same.
      cache_dir: folder of the disk cache, see `srn_tf.data.caches`.
      devices: what the replicas in this process compute on, names of TensorFlow devices; by
        default the first GPU, if there is one.

    Raises:
      InputError: a pair is smaller than the crop, the batch is larger than the number of pairs, or
        what the caches raise. Unreadable images are found while iterating only: see
        `srn_tf.data.frames.input_error`.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        *,
        batch_size: int,
        crop_size: int,
        channels: int,
        seed: int,
        augment: bool = False,
        cache: str = "none",
        cache_dir: str | os.PathLike | None = None,
        devices: Sequence[str | None] = (),
    ):
        steps_per_epoch(len(pairs), batch_size)  # raises if the batch is too large
        _check_sizes(pairs, crop_size)
        self._sizes = np.array([pair.size for pair in pairs], np.int64)
        self._batch_size, self._crop_size, self._seed = batch_size, crop_size, seed
        self._channels, self._augment = channels, augment
        gpus = tf.config.list_logical_devices("GPU")
        self._devices = list(devices) or [gpus[0].name if gpus else None]
        if cache == "none":
            self._frames = FileFrames(pairs)
        elif cache == "disk":
            self._frames = DiskFrames(pairs, crop_size, cache_dir)
        elif cache == "device":
            self._frames = DeviceFrames(pairs, self._devices, cache_dir)
        else:
            raise InputError(f"unknown cache {cache!r}; known are: {', '.join(CACHES)}")

    def dataset(
        self, start_step: int = 0, context: tf.distribute.InputContext | None = None
    ) -> tf.data.Dataset:
        """The endless sequence of what travels, from the batch of step `start_step` on.

        Elements are a table int64 `[B, 9]`, one row per sample (see `srn_tf.data.frames.Place` for
        its first five columns; flips and turn; position in `pairs`), and the pixels that the frames
        send along, if any: uint8 `[B, 2, H, W, 3]`.

        Args:
          start_step: number of steps that a resumed run has done already.
          context: which part of the batches this process makes; B is then the size per replica.

        Raises:
          InputError: the batch is not divisible by the replicas.
        """
        part = context or tf.distribute.InputContext()
        replicas = part.num_replicas_in_sync
        if self._batch_size % replicas:
            raise InputError(
                f"a batch of {self._batch_size} cannot be divided among {replicas} replicas"
            )
        share = self._batch_size // part.num_input_pipelines

        @tf.autograph.experimental.do_not_convert
        def load(n: tf.Tensor) -> tuple[tf.Tensor, ...]:
            k = n // share * self._batch_size + part.input_pipeline_id * share + n % share
            sample = self._sample(k)
            place, *pixels = self._frames.load(sample.index, sample.y, sample.x)
            row = [*place, *tf.unstack(sample.turn), sample.index]
            return (tf.stack([tf.cast(value, tf.int64) for value in row]), *pixels)

        dataset = (
            tf.data.Dataset.counter(start_step * share, dtype=tf.int64)
            .map(load, tf.data.AUTOTUNE)
            .batch(self._batch_size // replicas, drop_remainder=True)
            .prefetch(_PREFETCHED)
        )
        if context is None and self._devices[0]:  # a distribution strategy does this by itself
            to_device = tf.data.experimental.prefetch_to_device(self._devices[0], _PREFETCHED)
            return dataset.apply(to_device)
        return dataset

    def crop(self, table: tf.Tensor, *pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Makes a batch of what has travelled: the stage that runs on the accelerator.

        Returns:
          blurred and sharp, float32 `[B, crop_size, crop_size, channels]` in [0, 1].
        """
        places = window_places(table, self._crop_size, self._augment)
        windows = tf.cast(self._frames.gather(places, *pixels), tf.float32)
        # `/` by a constant becomes in a graph a multiplication, which rounds otherwise.
        windows = tf.math.divide_no_nan(windows, 255.0)
        if self._channels == 1:
            windows = tf.image.rgb_to_grayscale(windows)
        blurred, sharp = tf.unstack(windows, num=2, axis=1)
        return blurred, sharp

    def pairs_of_step(self, step: int) -> list[int]:
        """Positions in `pairs` of what all workers together see in that step, counted from 0."""
        first = step * self._batch_size
        return [int(self._sample(first + j).index) for j in range(self._batch_size)]

    def _sample(self, k):
        return sample_at(k, self._sizes, seed=self._seed, crop_size=self._crop_size)


def window_places(table: tf.Tensor, crop_size: int, turned: bool) -> tf.Tensor:
    """Where the pixels of the windows are: int64 `[B, 2, crop_size, crop_size]`.

    Args:
      table: as in `TrainingBatches.dataset`.
      crop_size: side of the windows in pixels.
      turned: whether to heed the three columns of flips and turn.
    """
    columns = tf.unstack(table[:, :, None, None], num=9, axis=1)  # int64 [B, 1, 1] each
    first, height, width, y, x, flip_rows, flip_columns, swap, _ = columns
    line = np.arange(crop_size, dtype=np.int64)
    row, column = line[None, :, None], line[None, None, :]
    if turned:
        # From the pixel wanted to the pixel in the window: first the axes are swapped, then each
        # is flipped.
        row, column = row + swap * (column - row), column + swap * (row - column)
        row = row + flip_rows * (crop_size - 1 - 2 * row)
        column = column + flip_columns * (crop_size - 1 - 2 * column)
    blurred = first + (y + row) * width + x + column
    return tf.stack([blurred, blurred + height * width], axis=1)


def _check_sizes(pairs: Sequence[Pair], crop_size: int) -> None:
    for pair in pairs:
        height, width = pair.size
        if min(height, width) < crop_size:
            raise InputError(
                f"{pair.blurred} is {width}x{height} pixels, smaller than the crop of "
                f"{crop_size}x{crop_size}"
            )
