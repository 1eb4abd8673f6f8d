"""Pairs of images decoded, and the disk cache of all of them.

The cache is one `.npy` file, uint8 `[pixels, 3]`, named by a hash of the paths, sizes and
modification times of all images: other runs and processes share it, and changed images lead to
another file. Old ones are for their owner to delete. Nothing here needs TensorFlow.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from srn_tf.common.errors import InputError
from srn_tf.common.files import written_beside
from srn_tf.common.progress import progress
from srn_tf.common.threads import ahead
from srn_tf.data.pairs import Pair
from srn_tf.media.images import read_rgb

CACHES = ("none", "disk", "device")

_FORMAT = 2  # to be raised whenever the content of the file changes


def read_pair(pair: Pair) -> np.ndarray:
    """Decodes both images of a pair: uint8 `[2, H, W, 3]`. Raises InputError as `read_rgb`."""
    frames = np.empty((2, *pair.size, 3), np.uint8)
    for frame, path in zip(frames, (pair.blurred, pair.sharp)):
        image = read_rgb(path)
        if image.shape != frame.shape:
            raise InputError(f"{path} was replaced by an image of another size")
        frame[...] = image
    return frames


def decoded(pairs: Sequence[Pair], description: str) -> Iterator[np.ndarray]:
    """Decodes all pairs in parallel, in their order: uint8 `[2, H, W, 3]` each."""
    threads = os.cpu_count() or 1
    with ThreadPoolExecutor(threads) as pool:
        frames = ahead(pool, read_pair, pairs, threads)
        yield from progress(frames, description, len(pairs), "pair")


def disk_cache_path(pairs: Sequence[Pair], cache_dir: str | os.PathLike | None = None) -> Path:
    """Where the cache of these pairs is or would be.

    By default that is `.srn_cache` in the innermost folder that holds all the images or, if that is
    not writable, `~/.cache/srn_tf`.
    """
    paths = [path.absolute() for pair in pairs for path in (pair.blurred, pair.sharp)]
    images = Path(os.path.commonpath([path.parent for path in paths]))
    if cache_dir is None:
        writable = os.access(images, os.W_OK)
        cache_dir = images / ".srn_cache" if writable else Path.home() / ".cache" / "srn_tf"
    files = []
    for path in paths:
        status = path.stat()
        files.append((path.relative_to(images).as_posix(), status.st_size, status.st_mtime_ns))
    digest = hashlib.sha256(json.dumps([_FORMAT, files]).encode()).hexdigest()
    return Path(cache_dir) / f"{digest[:16]}.npy"


def open_disk_cache(
    pairs: Sequence[Pair], cache_dir: str | os.PathLike | None, *, make: bool
) -> np.ndarray | None:
    """The memory-mapped pixels of all pairs, uint8 `[pixels, 3]`.

    Args:
      pairs: of any sizes.
      cache_dir: as `disk_cache_path`.
      make: make a cache that is missing; otherwise None is returned for it.

    Raises:
      InputError: not enough free disk space, the folder is not writable, an unreadable image, or a
        damaged cache.
    """
    path = disk_cache_path(pairs, cache_dir)
    if not path.exists():
        if not make:
            return None
        try:
            _write(path, pairs)
        except OSError as error:
            raise InputError(
                f"the disk cache {path} cannot be written ({error.strerror or error}): take "
                "another --cache_dir"
            ) from None
    try:
        return np.load(path, mmap_mode="r")
    except (ValueError, EOFError, OSError) as error:
        raise InputError(f"the disk cache {path} is damaged ({error}): delete it") from None


def pixel_offsets(pairs: Sequence[Pair]) -> np.ndarray:
    """int64 `[N + 1]`: where each pair begins in the list of pixels, and the last one's end."""
    return np.cumsum([0, *(2 * pair.size[0] * pair.size[1] for pair in pairs)], dtype=np.int64)


def gigabytes(size: int) -> str:
    """Bytes in words: "11.6 GB"."""
    return f"{size / 1e9:.3g} GB"


def _write(path: Path, pairs: Sequence[Pair]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = int(pixel_offsets(pairs)[-1])
    needed, free = 3 * pixels, shutil.disk_usage(path.parent).free
    if needed > free:
        raise InputError(
            f"the disk cache needs {gigabytes(needed)}, but {path.parent} has "
            f"{gigabytes(free)} left: make room, take another --cache_dir or --cache=none"
        )
    print(f"making the disk cache {path} of {gigabytes(needed)} (--cache_dir puts it elsewhere)")
    with written_beside(path) as temporary:
        cache = np.lib.format.open_memmap(temporary, "w+", np.uint8, shape=(pixels, 3))
        if hasattr(os, "posix_fallocate"):  # not on macOS
            # The file is sparse: a disk that fills up later would kill the process.
            with temporary.open("rb+") as file:
                os.posix_fallocate(file.fileno(), 0, temporary.stat().st_size)
        done = 0
        for pair in decoded(pairs, f"caching {gigabytes(needed)}"):
            part = pair.reshape(-1, 3)
            cache[done : done + len(part)] = part
            done += len(part)
        cache.flush()
