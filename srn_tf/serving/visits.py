"""The files of a visit to the page, uploaded or made there: gone when it ends."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
from pathlib import Path

from srn_tf.common.errors import InputError
from srn_tf.common.files import remove


class Visits:
    """One folder for each visit that is going on; a visit is a page open in a browser.

    Args:
      folder: where uploads arrive, and the folders of the visits are made.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._folders: dict[str, Path] = {}
        self._lock = threading.Lock()

    def take(self, visit: str, upload: Path) -> Path:
        """Moves an upload into the folder of `visit`, and removes the one before it.

        Uploads of equal content arrive under one path, whoever sends them. Moved, each belongs to
        one visit.

        Raises:
          InputError: the file is gone, as after two equal uploads at the same moment.
        """
        with self._lock:
            if visit not in self._folders:
                self._folders[visit] = Path(tempfile.mkdtemp(prefix="visit-", dir=self._folder))
            folder = self._folders[visit]
        for older in folder.iterdir():
            remove(older)
        try:
            taken = upload.rename(folder / upload.name)
        except FileNotFoundError:
            raise InputError(f"{upload.name} was lost: drop it again") from None
        with contextlib.suppress(OSError):  # not empty: other names of equal content
            upload.parent.rmdir()  # named by the content
        return taken

    def is_open(self, visit: str) -> bool:
        """Whether `visit` has brought a photograph and has not ended."""
        return visit in self._folders

    def holds(self, visit: str, path: Path) -> bool:
        """Whether `path` is the photograph of `visit`: neither replaced nor left behind."""
        return path.parent == self._folders.get(visit) and path.exists()

    def end(self, visit: str) -> None:
        """Removes what belongs to `visit`."""
        with self._lock:
            folder = self._folders.pop(visit, None)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
