"""Results appear whole or not at all: everything is written beside its place and then renamed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import stat
import uuid
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from srn_tf.common.errors import InputError, RunError

_PARTIAL = re.compile(r"\.partial-(?P<host>.+)-(?P<pid>\d+)-[0-9a-f]{8}(\..*)?")
_LONGEST_TEXT = 1 << 28  # bytes: some million lines
_LONGEST_SUFFIX = 16


@contextlib.contextmanager
def written_beside(path: str | os.PathLike) -> Iterator[Path]:
    """Yields a temporary path in the folder of `path`; on success it is renamed to `path`.

    The temporary name keeps the suffix, from which image writers choose the format. It may become
    a file or a folder; its content is on the disk before it is renamed. What is at `path` is
    replaced, and what a link there points to. When the body raises, the temporary file or folder
    is removed and `path` is as it was; what a killed process left is removed by the next one that
    writes into the same folder on the same machine. Missing parent folders are made.

    Raises:
      InputError: before anything is written: `path` is a device, a pipe or a mount point.
      RunError: `path` has become a folder in the meantime, which is kept.
    """
    path = Path(os.path.realpath(path))
    if os.path.ismount(path):
        raise InputError(f"{path} is a mount point and cannot be replaced: choose a folder in it")
    is_folder = path.is_dir()
    if path.exists() and not is_folder:
        check_regular(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_stale_partials(path.parent)
    mark = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    suffix = path.suffix if len(os.fsencode(path.suffix)) <= _LONGEST_SUFFIX else ""
    temporary = path.with_name(f".partial-{mark}{suffix}")
    replaced = path.with_name(f"{path.name[:100]}.replaced-{mark}")
    is_replaced = is_folder and any(path.iterdir())
    try:
        yield temporary
        _flush(temporary)
        if is_replaced:
            os.rename(path, replaced)
        elif path.is_dir() and any(path.iterdir()):
            raise RunError(f"{path} was made by another process in the meantime: it is kept")
        try:
            os.replace(temporary, path)
        except OSError:
            if is_replaced:
                os.rename(replaced, path)
            raise
        remove(replaced)
    finally:
        remove(temporary)


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Writes a file that appears whole or not at all, as `written_beside`."""
    with written_beside(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | os.PathLike, text: str) -> None:
    """As `write_bytes`, in UTF-8; undecodable parts of file names become their bytes again."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def write_json(path: str | os.PathLike, value: object) -> None:
    """As `write_bytes`: strict JSON, in which a number that is not finite is an error."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def remove(path: Path) -> None:
    """Removes a file or a folder with all it holds, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def check_regular(path: str | os.PathLike) -> None:
    """Refuses what cannot be read as a file: a pipe or a device would be waited for for ever.

    Raises:
      InputError: `path` is missing, a folder, a pipe or a device, or may not be looked at.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte
        raise InputError(f"{path} cannot be read: {reason(error)}") from None
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise InputError(f"{path} is {kind}, not a file")


def read_text(path: str | os.PathLike) -> str:
    """The content of a text file in UTF-8, with or without a mark in front.

    Raises:
      InputError: as `check_regular`, it cannot be read, is no text, or far too large for one.
    """
    check_regular(path)
    with reading(path), open(path, "rb") as file:
        content = file.read(_LONGEST_TEXT + 1)
    try:
        if len(content) <= _LONGEST_TEXT:
            return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    raise InputError(f"{path} is no text, or too long for one")


def read_json(path: str | os.PathLike) -> Any:
    """The value in a JSON file that this package wrote.

    Raises:
      InputError: as `read_text`, or it is no JSON.
    """
    text = read_text(path)
    try:
        return json.loads(text)
    except ValueError as error:
        raise InputError(f"{path} is no JSON: {error}") from None


@contextlib.contextmanager
def reading(place: str | os.PathLike) -> Iterator[None]:
    """While folders and lists below `place` are read, an OSError becomes an InputError.

    Raises:
      InputError: names the file or folder that cannot be read.
    """
    try:
        yield
    except OSError as error:
        raise InputError(f"{error.filename or place} cannot be read: {reason(error)}") from None


def reason(error: Exception) -> str:
    """What an error says, in one line; of an OSError without number and path."""
    return (getattr(error, "strerror", None) or str(error).strip() or repr(error)).splitlines()[0]


def _flush(path: Path) -> None:
    """Sends the content of a file, or of all files of a folder, to the disk."""
    for file in path.rglob("*") if path.is_dir() else [path]:
        if file.is_file():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())


@lru_cache(maxsize=1024)  # once for each folder
def _remove_stale_partials(folder: Path) -> None:
    """Removes what processes of this machine that are no more left half-written."""
    with contextlib.suppress(OSError):  # a folder that may be written and not read
        for path in folder.glob(".partial-*"):
            match = _PARTIAL.fullmatch(path.name)
            if match and match["host"] == socket.gethostname() and not _is_alive(int(match["pid"])):
                remove(path)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        return True
    return True
