"""Folders: one process at a time, all that is in them, and names that do not lead out of them."""

from __future__ import annotations

import contextlib
import datetime
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from srn_tf.common.errors import InputError, RunError
from srn_tf.common.files import reason

LOCK, HOLDER = ".lock", ".lock-holder"


@contextlib.contextmanager
def locked(folder: str | os.PathLike, *, beside: bool = False) -> Iterator[None]:
    """Keeps other processes from writing into `folder`; the system frees it when this one dies.

    Args:
      folder: made when it is missing, and removed again when nothing was written into it.
      beside: put the lock beside `folder`, which is to be replaced as a whole.

    Raises:
      InputError: another process has it; the message says which.
      RunError: the file system refuses; one without locks does.
    """
    import filelock  # not needed for --help

    folder = Path(os.path.abspath(folder))
    place, prefix = (folder.parent, f".{folder.name}") if beside else (folder, "")
    is_new = not place.exists()
    place.mkdir(parents=True, exist_ok=True)
    lock_file, holder = place / f"{prefix}{LOCK}", place / f"{prefix}{HOLDER}"
    lock = filelock.FileLock(lock_file)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise InputError(
            f"{folder} is in use by {_holder(holder)}: wait for it, or choose another folder"
        ) from None
    except (OSError, NotImplementedError) as error:  # some network file systems have no locks
        raise RunError(f"{folder} cannot be locked ({reason(error)}): choose another") from None
    try:
        holder.write_text(_this_process(), "utf-8", "surrogateescape")
        yield
    finally:
        for path in (holder, lock_file):
            path.unlink(missing_ok=True)
        if is_new and not beside and not os.listdir(place):
            place.rmdir()
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


def _raise(error: InputError) -> None:
    raise error


def files_below(
    folder: str | os.PathLike, unreadable: Callable[[InputError], None] = _raise
) -> Iterator[Path]:
    """All that is no folder inside of `folder`, at all depths, without what starts with a dot.

    Links to folders are followed, each one once and none to a folder above it. Pipes and devices
    are among the results: `check_regular` refuses them by name.

    Args:
      folder: where to begin.
      unreadable: called with an error that names a folder that cannot be read; raises it unless
        given.
    """
    followed = set()
    folders = [(Path(folder), frozenset())]
    while folders:
        place, above = folders.pop()
        try:
            above |= {_identity(place.stat())}
            with os.scandir(place) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            unreadable(InputError(f"folder {place} cannot be read: {reason(error)}"))
            continue
        below = []
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if not _is_folder(entry):
                yield place / entry.name
            elif not entry.is_symlink():
                below.append((place / entry.name, above))
            elif _identity(entry.stat()) not in above:
                link = _identity(entry.stat(follow_symlinks=False))
                below += [(place / entry.name, above)] if link not in followed else []
                followed.add(link)
        folders += reversed(below)


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _this_process() -> str:
    now = datetime.datetime.now().strftime("%Y-%m-%d %H:%M")
    command = " ".join(sys.argv)
    return f"process {os.getpid()} on {socket.gethostname()} since {now} ({command})"


def _holder(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace") or "another process"
    except OSError:
        return "another process, or its file system has no locks"
