"""Where the pixels of a training pair come from: image files, a cache on disk, or on the device.

A pair is uint8 `[2, H, W, 3]`, the blurred image first: what is done to it, is done to both.
Every source has two halves. `load` runs on the host, in a parallel map: from index and window
(int scalars) it makes whatever the accelerator needs. `unpack` runs on the accelerator and makes
of that the pair, or the part of it that was loaded, and the place of the window therein.

    none     every crop inflates both files and sends both frames to the accelerator
    disk     all frames in one memory-mapped file; a crop reads the rows of its window only
    device   all frames in the accelerator's memory; the host sends indices and offsets only

Both caches hold the pairs one after another in a flat buffer, so that sizes may be mixed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from srn_tf.common.errors import InputError
from srn_tf.common.files import remove_stale_partials, written_beside
from srn_tf.data.caches import CACHES
from srn_tf.data.pairs import Pair
from srn_tf.media.images import read_rgb

_DISK_FORMAT = 1  # to be raised whenever the content of the file changes


def read_pair(pair: Pair) -> np.ndarray:
    """Decodes both images of a pair: uint8 `[2, H, W, 3]`. Raises InputError as `read_rgb`."""
    frames = np.empty((2, *pair.size, 3), np.uint8)
    for frame, path in zip(frames, (pair.blurred, pair.sharp)):
        image = read_rgb(path)
        if image.shape != frame.shape:
            raise InputError(f"{path} was replaced by an image of another size")
        frame[...] = image
    return frames


def input_error(error: tf.errors.OpError) -> InputError | None:
    """The InputError about an unreadable image that `error` carries in its text, if it does.

    What a reading thread raises reaches the training loop as an exception of TensorFlow.
    """
    match = re.search(rf"\b{InputError.__name__}: (.+)", str(error))
    return InputError(match[1]) if match else None


class FileFrames:
    """Inflates both files of a pair for every crop."""

    def __init__(self, pairs: Sequence[Pair]):
        self._pairs = pairs

    def load(self, index: tf.Tensor, y: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """The whole pair and the window's place in it."""
        pair = tf.numpy_function(self._read, [index], tf.uint8, stateful=False)
        pair.set_shape([2, None, None, 3])
        return pair, y, x

    def unpack(self, pair: tf.Tensor, y: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Nothing to do."""
        return pair, y, x

    def _read(self, index: int) -> np.ndarray:
        return read_pair(self._pairs[index])


class DiskFrames:
    """Reads windows from a memory-mapped file, which is made first when it is not there yet.

    The file's name is a hash of the paths, sizes and modification times of all images: other runs
    and processes share it, and changed images lead to another file.

    Args:
      pairs: of any sizes.
      crop_size: side of the windows in pixels.
      cache_dir: where the file is; by default `.srn_cache` in the innermost folder that holds all
        the images or, if that is not writable, `~/.cache/srn_tf`.

    Raises:
      InputError: not enough free disk space, or an unreadable image.
    """

    def __init__(self, pairs: Sequence[Pair], crop_size: int, cache_dir: Path | None = None):
        self._pairs = pairs
        self._crop_size = crop_size
        self._offsets = _offsets(pairs)
        folder = _images_folder(pairs)
        cache_dir = Path(cache_dir) if cache_dir else _default_cache_dir(folder)
        path = cache_dir / f"{_fingerprint(pairs, folder)}.npy"
        if not path.exists():
            self._write(path)
        self._buffer = np.load(path, mmap_mode="r")

    def load(self, index: tf.Tensor, y: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """The windows alone, which begin at 0, 0."""
        windows = tf.numpy_function(self._windows, [index, y, x], tf.uint8, stateful=False)
        windows.set_shape([2, self._crop_size, self._crop_size, 3])
        return windows, tf.zeros([], tf.int32), tf.zeros([], tf.int32)

    def unpack(self, windows: tf.Tensor, y: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Nothing to do."""
        return windows, y, x

    def _windows(self, index: int, y: int, x: int) -> np.ndarray:
        pair = self._buffer[self._offsets[index] : self._offsets[index + 1]]
        pair = pair.reshape(2, *self._pairs[index].size, 3)
        # A copy, as TensorFlow would otherwise hold a view of the mapped file.
        return np.array(pair[:, y : y + self._crop_size, x : x + self._crop_size])

    def _write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_stale_partials(path.parent)
        needed, free = int(self._offsets[-1]), shutil.disk_usage(path.parent).free
        if needed > free:
            raise InputError(
                f"the disk cache needs {_gigabytes(needed)}, but {path.parent} has "
                f"{_gigabytes(free)} left: make room or use --cache=none"
            )
        with written_beside(path) as temporary:
            buffer = np.lib.format.open_memmap(temporary, "w+", np.uint8, shape=(needed,))
            _reserve(temporary)
            description = f"caching {_gigabytes(needed)} in {path.parent}"
            for i, pair in enumerate(_decoded(self._pairs, description)):
                buffer[self._offsets[i] : self._offsets[i + 1]] = pair.ravel()
            buffer.flush()


def _reserve(path: Path) -> None:
    """Gives a sparse file its blocks: a disk that fills up later would kill the process."""
    if hasattr(os, "posix_fallocate"):  # not on macOS
        try:
            with path.open("rb+") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError as error:
            raise InputError(f"{path.parent}: no room for the disk cache ({error})") from None


class DeviceFrames:
    """Holds all frames in the memory of the accelerator.

    To be made outside of `strategy.scope()`, where every replica would get a copy.

    Args:
      pairs: of any sizes.
      device: name of a TensorFlow device; None is the default device.

    Raises:
      InputError: the device has not the memory, or an image is unreadable.
    """

    def __init__(self, pairs: Sequence[Pair], device: str | None):
        self._offsets = _offsets(pairs)
        needed = int(self._offsets[-1])
        self._buffer = _allocated(needed, device)

        description = f"caching {_gigabytes(needed)} on {self._buffer.device}"
        with tf.device(self._buffer.device):
            for i, pair in enumerate(_decoded(pairs, description)):
                # Not `buffer[a:b].assign()`, which reads the slice first; and from one thread, as
                # parallel eager copies to a second device mix up their arguments (seen in 2.15).
                tf.raw_ops.ResourceStridedSliceAssign(
                    ref=self._buffer.handle,
                    begin=self._offsets[i : i + 1],
                    end=self._offsets[i + 1 : i + 2],
                    strides=np.ones(1, np.int64),
                    value=pair.ravel(),
                )
        # Assigning a part makes TensorFlow copy the whole buffer at each later read; no longer.
        tf.raw_ops.DisableCopyOnRead(resource=self._buffer.handle)
        self._shapes = np.array([(2, *pair.size, 3) for pair in pairs], np.int32)

    def load(self, index: tf.Tensor, y: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Begin, end (int64 `[1]`) and shape (int32 `[4]`) of the pair in the buffer."""
        begin_and_end = tf.gather(self._offsets, [index, index + 1])
        return begin_and_end[:1], begin_and_end[1:], tf.gather(self._shapes, index), y, x

    def unpack(
        self, begin: tf.Tensor, end: tf.Tensor, shape: tf.Tensor, y: tf.Tensor, x: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        """The whole pair, cut out of the buffer."""
        return tf.reshape(tf.strided_slice(self._buffer, begin, end), shape), y, x


def make_frames(
    cache: str, pairs: Sequence[Pair], *, crop_size: int, device: str | None, cache_dir: Path | None
) -> FileFrames | DiskFrames | DeviceFrames:
    """The source of frames for one of `CACHES`."""
    if cache == "none":
        return FileFrames(pairs)
    if cache == "disk":
        return DiskFrames(pairs, crop_size, cache_dir)
    if cache == "device":
        return DeviceFrames(pairs, device)
    raise InputError(f"unknown cache {cache!r}; known are: {', '.join(CACHES)}")


def _offsets(pairs: Sequence[Pair]) -> np.ndarray:
    """int64 `[N + 1]`: where each pair begins in a flat buffer, and where the last one ends."""
    return np.cumsum([0, *(2 * pair.size[0] * pair.size[1] * 3 for pair in pairs)], dtype=np.int64)


def _decoded(pairs: Sequence[Pair], description: str) -> Iterator[np.ndarray]:
    """Decodes all pairs in parallel, in their order, with a progress bar."""
    dataset = tf.data.Dataset.range(len(pairs)).map(
        lambda index: FileFrames(pairs).load(index, 0, 0)[0], tf.data.AUTOTUNE
    )
    try:
        yield from tqdm(dataset.as_numpy_iterator(), description, len(pairs), unit="pair")
    except tf.errors.OpError as error:
        raise input_error(error) or error from None


def _images_folder(pairs: Sequence[Pair]) -> Path:
    folders = {path.parent.absolute() for pair in pairs for path in (pair.blurred, pair.sharp)}
    return Path(os.path.commonpath(folders))


def _default_cache_dir(folder: Path) -> Path:
    if os.access(folder, os.W_OK):
        return folder / ".srn_cache"
    return Path.home() / ".cache" / "srn_tf"


def _fingerprint(pairs: Sequence[Pair], folder: Path) -> str:
    files = []
    for pair in pairs:
        for path in (pair.blurred, pair.sharp):
            status = path.stat()
            relative = path.absolute().relative_to(folder).as_posix()
            files.append((relative, status.st_size, status.st_mtime_ns))
    return hashlib.sha256(json.dumps([_DISK_FORMAT, files]).encode()).hexdigest()[:16]


def _allocated(size: int, device: str | None) -> tf.Variable:
    """An uninitialised flat uint8 variable of `size` bytes."""
    message = (
        f"the device cache needs {_gigabytes(size)} of memory on {device or 'the CPU'}, "
        "which are not free: use --cache=disk"
    )
    if "GPU" not in (device or "").upper() and size > _free_host_memory():
        raise InputError(message)
    # `Empty` takes an int32 shape, and filling with zeros fails beyond 2^31 elements on a GPU.
    block = 1 << 16
    try:
        with tf.device(device):
            blocks = tf.raw_ops.Empty(shape=[-(-size // block), block], dtype=tf.uint8)
            return tf.Variable(tf.reshape(blocks, [-1]), trainable=False)
    except tf.errors.ResourceExhaustedError:
        raise InputError(message) from None


def _free_host_memory() -> int:
    """Bytes that can be allocated without swapping; all memory where Linux does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    fields = dict(line.split(":") for line in lines)
    return int(fields["MemAvailable"].split()[0]) * 1024


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.3g} GB"
