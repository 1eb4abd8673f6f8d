"""What visitors of the page bring and get: one folder for each visit, removed when it ends."""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from srn_tf.common.errors import InputError, RunError
from srn_tf.common.files import remove
from srn_tf.inference.deblurrer import Deblurrer
from srn_tf.inference.image_files import deblur_image
from srn_tf.media.images import read_photograph, write_image


class Pictures(NamedTuple):
    """Two PNGs of one size, and what of the photograph they do not hold, a line each."""

    before: Path
    after: Path
    notes: list[str]


class Visits:
    """The visits that are going on; a visit is a page open in a browser.

    Args:
      folder: where the folders of the visits are made.
      max_megapixels: refuse larger photographs before decoding them; 1 is 1e6 pixels.
    """

    def __init__(self, folder: Path, max_megapixels: float):
        self._folder, self._max_megapixels = folder, max_megapixels
        self._open: set[str] = set()
        self._lock = threading.Lock()  # one photograph at a time
        self._report: Callable[[float], None] = lambda share: None
        self.deblurrer = functools.lru_cache(maxsize=4)(self._load)

    def take(self, visit: str, upload: Path) -> Path:
        """Moves an upload into the folder of `visit`, in place of the one before.

        Gradio keeps uploads of equal content under one path, whoever sends them.

        Raises:
          InputError: the file is gone, as after two equal uploads at the same moment.
        """
        self.end(visit)
        self._open.add(visit)
        folder = self._folder / visit
        folder.mkdir()
        try:
            taken = upload.rename(folder / upload.name)
        except FileNotFoundError:
            raise InputError(f"{upload.name} was lost: drop it again") from None
        with contextlib.suppress(OSError):  # not empty: other names of equal content
            upload.parent.rmdir()
        return taken

    def end(self, visit: str) -> None:
        """Removes what belongs to `visit`."""
        self._open.discard(visit)
        remove(self._folder / visit)

    def deblur(
        self, visit: str, photograph: Path, run_dir: str, report: Callable[[float], None]
    ) -> Pictures:
        """Writes both pictures into a new folder, as a browser keeps what it has shown by name.

        Args:
          visit: whose.
          photograph: as `take` returned it.
          run_dir: the weights.
          report: called with the share that is done.

        Raises:
          InputError: the photograph is unreadable or too large, or the run folder is gone.
          RunError: out of memory, or the visit has ended.
        """
        if visit not in self._open or photograph.parent != self._folder / visit:
            raise InputError("drop a photograph first")

        def report_or_stop(share: float) -> None:
            if not photograph.exists():
                raise RunError("the page was closed, or another photograph dropped")
            report(share)

        with self._lock:
            self._report = report_or_stop
            image, metadata = read_photograph(photograph, self._max_megapixels)
            deblurred = deblur_image(self.deblurrer(run_dir), image)
            report_or_stop(1.0)
            for older in photograph.parent.glob("result-*"):
                remove(older)
            folder = Path(tempfile.mkdtemp(prefix="result-", dir=photograph.parent))
            before = folder / f"{photograph.stem}_before.png"
            after = folder / f"{photograph.stem}_deblurred.png"
            write_image(before, image, metadata)
            notes = list(write_image(after, deblurred, metadata))
        return Pictures(before, after, notes)

    def _load(self, run_dir: str) -> Deblurrer:
        return Deblurrer.from_run_dir(run_dir, on_progress=lambda share: self._report(share))


def without_folder(line: str, photograph: Path) -> str:
    """A visitor knows the name of the photograph, not where it is kept."""
    return line.replace(f"{photograph.parent}{os.sep}", "")
