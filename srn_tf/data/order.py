"""Which pair and which window of it a training step sees: a pure function of (seed, step).

Sample `k = step * batch_size + j` is the j-th of its step. An epoch is a permutation of all pairs,
keyed by (seed, epoch); a batch may end one epoch and begin the next. Window and flips are keyed by
(seed, k). A resumed run thus sees what an uninterrupted one would have seen, on any number of
workers.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from srn_tf.common.errors import InputError


class Sample(NamedTuple):
    """What is to be cut out of which pair; all tensors.

    Attributes:
      index: int64 scalar, position in the list of pairs.
      y: int32 scalar, first row of the window.
      x: int32 scalar, first column of the window.
      turn: int32 `[3]` of zeros and ones: flip rows, flip columns, swap rows and columns. The
        eight combinations are all flips and rotations by 90 degrees.
    """

    index: tf.Tensor
    y: tf.Tensor
    x: tf.Tensor
    turn: tf.Tensor


def steps_per_epoch(num_pairs: int, batch_size: int) -> int:
    """Number of whole batches in `num_pairs`: 131 for GoPro's 2103 pairs and batches of 16.

    It is what the paper's number of epochs is counted in; no pair is left out.

    Raises:
      InputError: the batch is larger than the number of pairs, or empty.
    """
    if not 1 <= batch_size <= num_pairs:
        raise InputError(f"a batch of {batch_size} cannot be filled from {num_pairs} pairs")
    return num_pairs // batch_size


def sample_at(k: tf.Tensor, sizes: tf.Tensor, *, seed: int, crop_size: int) -> Sample:
    """The k-th sample of a run (int64 scalar, counted from 0 over all epochs and workers).

    Args:
      k: int64 scalar.
      sizes: int64 `[N, 2]`, height and width of every pair in pixels.
      seed: any integer of 64 bits.
      crop_size: side of the square window in pixels.
    """
    num_pairs = len(sizes)
    # Of its key, `index_shuffle` uses 8 bits of each half: with the epoch itself as a half, the
    # same permutations would come back after 256 epochs.
    key = _random_bits(2, seed, k // num_pairs)
    index = tf.random.experimental.index_shuffle(k % num_pairs, key, num_pairs - 1)
    # Of 64 random bits, the remainder of a division by an image's size is as good as uniform.
    draws = _random_bits(5, seed, k)
    first = tf.cast(draws[:2] % (tf.gather(sizes, index) - crop_size + 1), tf.int32)
    return Sample(index, first[0], first[1], tf.cast(draws[2:] % 2, tf.int32))


def _random_bits(count: int, seed: int, counter: tf.Tensor) -> tf.Tensor:
    return tf.random.stateless_uniform([count], [seed, counter], None, None, tf.int64, "philox")
