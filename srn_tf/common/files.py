"""Results appear whole or not at all: everything is written beside its place and then renamed."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

_PARTIAL = ".partial-"
_STALE_SECONDS = 24 * 3600


@contextlib.contextmanager
def written_beside(path: str | os.PathLike) -> Iterator[Path]:
    """Yields a temporary path in the folder of `path`; on success it is renamed to `path`.

    The temporary name keeps the suffix, from which image writers choose the format. It may become
    a file or a folder (an existing folder at `path` is replaced). When the body raises, the
    temporary file or folder is removed and `path` is as it was. Missing parent folders are made.
    """
    path = Path(os.path.abspath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}{_PARTIAL}{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        yield temporary
        if temporary.is_dir() and path.is_dir():
            shutil.rmtree(path)
        os.replace(temporary, path)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


def remove_stale_partials(folder: Path) -> None:
    """Removes temporary files in `folder` that a killed process left more than a day ago."""
    for path in folder.glob(f".*{_PARTIAL}*"):
        if path.is_file() and time.time() - path.stat().st_mtime > _STALE_SECONDS:
            path.unlink(missing_ok=True)
