"""Folders: one process at a time, all files below, and paths for TensorFlow."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from srn_tf.common.errors import InputError
from srn_tf.common.files import reason

LOCK = ".lock"


@contextlib.contextmanager
def locked(folder: str | os.PathLike, *, beside: bool = False) -> Iterator[None]:
    """Keeps other processes from writing into `folder`; the system frees it when this one dies.

    Args:
      folder: made when it is missing, and removed again when nothing was written into it.
      beside: put the lock beside `folder`, which is to be replaced as a whole.

    Raises:
      InputError: another process has it, or the file system refuses; one without locks does.
    """
    import filelock  # not needed for --help

    folder = Path(os.path.abspath(folder))
    lock_file = folder.with_name(f".{folder.name[:200]}{LOCK}") if beside else folder / LOCK
    is_new = not lock_file.parent.exists()
    lock = filelock.FileLock(lock_file)
    try:
        lock_file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise InputError(
            f"{folder} is in use by another process: wait for it, or choose another folder"
        ) from None
    except (OSError, NotImplementedError) as error:  # some network file systems have no locks
        raise InputError(
            f"{folder} cannot be made or locked ({reason(error)}): choose another"
        ) from None
    try:
        yield
    finally:
        lock_file.unlink(missing_ok=True)
        if is_new and not os.listdir(lock_file.parent):
            lock_file.parent.rmdir()
        lock.release()


def joined_inside(folder: str | os.PathLike, name: str | os.PathLike) -> Path:
    """`folder / name`, which is sure to lie inside of `folder`.

    Raises:
      InputError: `name` is empty or absolute, has a part "..", or leads out over a link.
    """
    folder, name = Path(folder), Path(name)
    if not name.parts or name.is_absolute() or ".." in name.parts:
        raise InputError(f"{str(name)!r} is no name for a file inside of {folder}")
    path = folder / name
    if folder.resolve() not in path.resolve().parents:
        raise InputError(f"{path} leads out of {folder}")
    return path


def files_below(folder: str | os.PathLike) -> Iterator[Path]:
    """All that is no folder inside of `folder`, at all depths, without what starts with a dot.

    Each folder is visited once, however many links lead to it. Pipes and devices are among the
    results: `check_regular` refuses them by name.

    Raises:
      InputError: names a folder that cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise InputError(f"folder {error.filename} cannot be read: {reason(error)}") from None

    visited = set()
    for place, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        real = os.path.realpath(place)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        # Links come last, so that files are found under their own names where they have one.
        links = {name for name in folders if os.path.islink(os.path.join(place, name))}
        kept = (name for name in folders if not name.startswith("."))
        folders[:] = sorted(kept, key=lambda name: (name in links, name))
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(place, name)


_PLAIN = re.compile(r"[\w./ ,;:=+@#~()-]*")  # what TensorFlow takes for no pattern


@functools.cache
def _links() -> tempfile.TemporaryDirectory:
    """The folder of this process's links, removed at its end."""
    return tempfile.TemporaryDirectory(prefix="srn_tf-links-")


def tensorflow_path(path: str | os.PathLike) -> str:
    """`path` in a form that TensorFlow can use for checkpoints, SavedModels and logs.

    TensorFlow takes brackets, asterisks and question marks in these paths for patterns, and cannot
    have bytes that are no text. Such a path is reached over a link in a temporary folder. Every
    path that TensorFlow is to open passes through here.

    Raises:
      InputError: a file that is to be opened or a folder that is to be made has such characters.
    """
    path = os.path.abspath(path)
    if _PLAIN.fullmatch(path):
        return path
    folder, rest = path, ""
    while not os.path.isdir(folder):
        folder, name = os.path.split(folder)
        rest = os.path.join(name, rest) if rest else name
    if not _PLAIN.fullmatch(rest):
        raise InputError(f"{path}: TensorFlow takes {rest!r} for a pattern: choose another name")
    link = os.path.join(_links().name, hashlib.sha256(os.fsencode(folder)).hexdigest()[:16])
    if not os.path.lexists(link):
        os.symlink(folder, link)
    return os.path.join(link, rest) if rest else link
