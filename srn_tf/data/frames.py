"""Where the pixels of a training pair come from: image files, a cache on disk, or on the device.

A pair is uint8 `[2, H, W, 3]`, the blurred image first: what is done to it, is done to both.
Every source has two halves. `load` runs on the host, in a parallel map: from index and window it
makes whatever must travel to the accelerator. `gather` runs on the accelerator, in the graph of
the training step: it picks pixels out of that, or out of what lies there already.

    none     both files are decoded for every crop, and both frames travel
    disk     all frames in one memory-mapped file; the pixels of the window alone travel
    device   all frames in the accelerator's memory; a few integers travel

Both caches hold the pairs one after another as one long list of pixels, so that sizes may be mixed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from srn_tf.common.errors import InputError
from srn_tf.common.hardware import available_memory
from srn_tf.common.progress import progress
from srn_tf.data.caches import decoded, gigabytes, open_disk_cache, pixel_offsets, read_pair
from srn_tf.data.pairs import Pair

# Of uint8, TensorFlow gathers on GPUs from variables only; this type holds 0 to 255 exactly.
_GATHERED = tf.float16


def input_error(error: tf.errors.OpError) -> InputError | None:
    """The InputError about an unreadable image that `error` carries in its text, if it does.

    What a reading thread raises reaches the training loop as an exception of TensorFlow.
    """
    match = re.search(rf"\b{InputError.__name__}: (.+)", str(error))
    return InputError(match[1]) if match else None


class Place(NamedTuple):
    """Where a window is: the first columns of the int64 table that travels.

    Attributes:
      first: the blurred image's first pixel, counted in what `gather` picks from; for what
        travels, in its own pair there.
      height: of the images there in pixels.
      width: of the images there in pixels.
      y: the window's first row in the image.
      x: the window's first column in the image.
    """

    first: tf.Tensor | int
    height: tf.Tensor | int
    width: tf.Tensor | int
    y: tf.Tensor | int
    x: tf.Tensor | int


class _TravellingFrames:
    """Frames of which pixels travel to the accelerator, uint8 `[B, 2, H, W, 3]` for a batch."""

    def gather(self, places: tf.Tensor, frames: tf.Tensor) -> tf.Tensor:
        """Pixels `[..., 3]` of `frames`; `places` `[B, ...]` count from each pair's first pixel."""
        batch, two, height, width, _ = frames.shape
        begins = np.arange(batch, dtype=np.int64) * (two * height * width)
        places += begins.reshape([batch] + [1] * (places.shape.rank - 1))
        return tf.gather(tf.cast(tf.reshape(frames, [-1, 3]), _GATHERED), places)


class FileFrames(_TravellingFrames):
    """Decodes both files of a pair for every crop; smaller pairs are padded to the largest."""

    def __init__(self, pairs: Sequence[Pair]):
        self._pairs = pairs
        self._size = tuple(max(pair.size[axis] for pair in pairs) for axis in (0, 1))

    def load(self, index: tf.Tensor, y: tf.Tensor, x: tf.Tensor) -> tuple:
        """The window's place and the whole pair."""
        frames = tf.numpy_function(self._read, [index], tf.uint8, stateful=False)
        frames.set_shape([2, *self._size, 3])
        return Place(0, *self._size, y, x), frames

    def _read(self, index: int) -> np.ndarray:
        pair = read_pair(self._pairs[index])
        if pair.shape[1:3] == self._size:
            return pair
        frames = np.zeros((2, *self._size, 3), np.uint8)
        frames[:, : pair.shape[1], : pair.shape[2]] = pair
        return frames


class DiskFrames(_TravellingFrames):
    """Reads windows from a memory-mapped file, which is made first when it is not there yet.

    Args:
      pairs: of any sizes.
      crop_size: side of the windows in pixels.
      cache_dir: where the file is, see `srn_tf.data.caches`.

    Raises:
      InputError: not enough free disk space, or an unreadable image.
    """

    def __init__(
        self, pairs: Sequence[Pair], crop_size: int, cache_dir: str | os.PathLike | None = None
    ):
        self._pairs = pairs
        self._crop_size = crop_size
        self._offsets = pixel_offsets(pairs)
        self._pixels = open_disk_cache(pairs, cache_dir, make=True)

    def load(self, index: tf.Tensor, y: tf.Tensor, x: tf.Tensor) -> tuple:
        """The place, which is the beginning of what travels, and the windows alone."""
        windows = tf.numpy_function(self._windows, [index, y, x], tf.uint8, stateful=False)
        windows.set_shape([2, self._crop_size, self._crop_size, 3])
        return Place(0, self._crop_size, self._crop_size, 0, 0), windows

    def _windows(self, index: int, y: int, x: int) -> np.ndarray:
        pair = self._pixels[self._offsets[index] : self._offsets[index + 1]]
        pair = pair.reshape(2, *self._pairs[index].size, 3)
        # A copy, as TensorFlow would otherwise hold a view of the mapped file.
        return np.array(pair[:, y : y + self._crop_size, x : x + self._crop_size])


class DeviceFrames:
    """Holds all frames in the memory of each of the accelerators that compute.

    They are read from the disk cache where there is one, from the image files otherwise.

    Args:
      pairs: of any sizes.
      devices: names of TensorFlow devices, one for each replica in this process.
      cache_dir: where the disk cache would be.

    Raises:
      InputError: a device has not the memory, or an image is unreadable.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        devices: Sequence[str | None],
        cache_dir: str | os.PathLike | None = None,
    ):
        self._offsets = pixel_offsets(pairs)
        self._sizes = np.array([pair.size for pair in pairs], np.int64)
        self._buffers = [_allocated(int(self._offsets[-1]), device) for device in devices]
        description = f"caching {gigabytes(3 * int(self._offsets[-1]))} on " + " and on ".join(
            buffer.device for buffer in self._buffers
        )
        on_disk = open_disk_cache(pairs, cache_dir, make=False)
        if on_disk is None:
            frames = decoded(pairs, description)
        else:
            parts = np.split(on_disk, self._offsets[1:-1])
            frames = progress(parts, f"{description} from the disk cache", unit="pair")
        for i, pair in enumerate(frames):
            for buffer in self._buffers:
                # Not `buffer[a:b].assign()`, which reads the slice first; and from one thread, as
                # parallel eager copies to a second device mix up their arguments (seen in 2.15).
                with tf.device(buffer.device):
                    tf.raw_ops.ResourceStridedSliceAssign(
                        ref=buffer.handle,
                        begin=self._offsets[i : i + 1],
                        end=self._offsets[i + 1 : i + 2],
                        strides=np.ones(1, np.int64),
                        value=np.ascontiguousarray(pair).reshape(-1, 3),
                    )
        for buffer in self._buffers:
            # Assigning a part makes TensorFlow copy it all at each later read; no longer.
            tf.raw_ops.DisableCopyOnRead(resource=buffer.handle)

    def load(self, index: tf.Tensor, y: tf.Tensor, x: tf.Tensor) -> tuple:
        """The window's place in the buffer, and nothing else."""
        height, width = tf.unstack(tf.gather(self._sizes, index), num=2)
        return (Place(tf.gather(self._offsets, index), height, width, y, x),)

    def gather(self, places: tf.Tensor) -> tf.Tensor:
        """Pixels `[..., 3]` of the buffer that lies on the device of this replica."""
        # Every process numbers its replicas in the order of its devices.
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        buffer = self._buffers[int(tf.get_static_value(replica)) % len(self._buffers)]
        return tf.gather(buffer, places)


def _allocated(pixels: int, device: str | None) -> tf.Variable:
    """An uninitialised uint8 variable `[pixels, 3]`."""
    message = (
        f"the device cache needs {gigabytes(3 * pixels)} of memory on {device or 'the CPU'}, "
        "which are not free: use --cache=disk"
    )
    if "GPU" not in (device or "").upper() and 3 * pixels > available_memory():
        raise InputError(message)
    # `Empty` takes an int32 shape, and filling with zeros fails beyond 2^31 elements on a GPU.
    block = 3 << 16
    try:
        with tf.device(device):
            blocks = tf.raw_ops.Empty(shape=[-(-3 * pixels // block), block], dtype=tf.uint8)
            return tf.Variable(tf.reshape(blocks, [-1, 3]), trainable=False)
    except tf.errors.ResourceExhaustedError:
        raise InputError(message) from None
