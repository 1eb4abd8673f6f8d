"""The disk cache of decoded images: its names, its place, and what becomes of old ones.

The cache is one `.npy` file, uint8 `[pixels, 3]`, named by a hash of the paths, sizes and
modification times of all images: other runs and processes share it, and changed images lead to
another file. Nothing here needs TensorFlow.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from srn_tf.common.errors import InputError
from srn_tf.common.files import written_beside
from srn_tf.data.pairs import Pair

CACHES = ("none", "disk", "device")

_FORMAT = 2  # to be raised whenever the content of the file changes
_NAME = re.compile(r"[0-9a-f]{16}\.npy")

Decoder = Callable[[Sequence[Pair], str], Iterator[np.ndarray]]


def disk_cache_path(pairs: Sequence[Pair], cache_dir: str | os.PathLike | None = None) -> Path:
    """Where the cache of these pairs is or would be.

    By default that is `.srn_cache` in the innermost folder that holds all the images or, if that is
    not writable, `~/.cache/srn_tf`.
    """
    folders = {path.parent.absolute() for pair in pairs for path in (pair.blurred, pair.sharp)}
    images = Path(os.path.commonpath(folders))
    if cache_dir is None:
        writable = os.access(images, os.W_OK)
        cache_dir = images / ".srn_cache" if writable else Path.home() / ".cache" / "srn_tf"
    files = []
    for pair in pairs:
        for path in (pair.blurred, pair.sharp):
            status = path.stat()
            relative = path.absolute().relative_to(images).as_posix()
            files.append((relative, status.st_size, status.st_mtime_ns))
    digest = hashlib.sha256(json.dumps([_FORMAT, files]).encode()).hexdigest()
    return Path(cache_dir) / f"{digest[:16]}.npy"


def open_disk_cache(
    pairs: Sequence[Pair],
    cache_dir: str | os.PathLike | None,
    decoded: Decoder,
    clean: bool = False,
) -> np.ndarray:
    """The memory-mapped pixels of all pairs, uint8 `[pixels, 3]`; made first where missing.

    A file of another length or form than it must have is named and made again.

    Args:
      pairs: of any sizes.
      cache_dir: as `disk_cache_path`.
      decoded: yields the frames of all pairs, see `srn_tf.data.frames.decoded`.
      clean: remove the other caches of that folder, which are named otherwise.

    Raises:
      InputError: not enough free disk space, the folder is not writable, or an unreadable image.
    """
    path = disk_cache_path(pairs, cache_dir)
    _clean_or_name(superseded(path), clean)
    cache = read_disk_cache(pairs, cache_dir)
    if cache is None:
        try:
            _write(path, pairs, decoded)
        except OSError as error:
            raise InputError(
                f"the disk cache {path} cannot be written ({error.strerror or error}): take "
                "another --cache_dir"
            ) from None
        cache = np.load(path, mmap_mode="r")
    return cache


def read_disk_cache(
    pairs: Sequence[Pair], cache_dir: str | os.PathLike | None
) -> np.ndarray | None:
    """The memory-mapped pixels of all pairs, uint8 `[pixels, 3]`; None where there are none.

    A file of another length or form than it must have is named.
    """
    path = disk_cache_path(pairs, cache_dir)
    if not path.exists():
        return None
    try:
        cache = np.load(path, mmap_mode="r")
        if (cache.dtype, cache.shape) == (np.uint8, (pixel_offsets(pairs)[-1], 3)):
            return cache
        reason = f"it holds {cache.dtype} {cache.shape}"
    except (ValueError, EOFError, OSError) as error:
        reason = str(error)
    print(f"the disk cache {path} is damaged ({reason})")
    return None


def pixel_offsets(pairs: Sequence[Pair]) -> np.ndarray:
    """int64 `[N + 1]`: where each pair begins in the list of pixels, and the last one's end."""
    return np.cumsum([0, *(2 * pair.size[0] * pair.size[1] for pair in pairs)], dtype=np.int64)


def superseded(path: Path) -> list[Path]:
    """The other caches in the folder of this one: of other pairs, or of changed images."""
    return sorted(
        other
        for other in path.parent.glob("*.npy")
        if _NAME.fullmatch(other.name) and other != path
    )


def gigabytes(size: int) -> str:
    """Bytes in words: "11.6 GB"."""
    return f"{size / 1e9:.3g} GB"


def _clean_or_name(others: list[Path], clean: bool) -> None:
    size = gigabytes(sum(other.stat().st_size for other in others))
    for other in others if clean else ():
        other.unlink(missing_ok=True)
    if others:
        count = f"{len(others)} other cache{'s' * (len(others) > 1)} ({size})"
        names = ", ".join(other.name for other in others)
        print(
            f"{'removed ' * clean}{count} in {others[0].parent}: {names}"
            + (" (--clean_cache removes what is not used)" if not clean else "")
        )


def _write(path: Path, pairs: Sequence[Pair], decoded: Decoder) -> None:
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
        _reserve(temporary)
        done = 0
        for pair in decoded(pairs, f"caching {gigabytes(needed)}"):
            part = pair.reshape(-1, 3)
            cache[done : done + len(part)] = part
            done += len(part)
        cache.flush()


def _reserve(path: Path) -> None:
    """Gives a sparse file its blocks: a disk that fills up later would kill the process."""
    if hasattr(os, "posix_fallocate"):  # not on macOS
        with path.open("rb+") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
