"""One photograph with the weights that were chosen, read, refused and written as `deblur` does."""

from __future__ import annotations

import functools
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from srn_tf.common.errors import InputError, RunError
from srn_tf.common.files import remove, written_beside
from srn_tf.inference.deblurrer import Deblurrer
from srn_tf.inference.image_files import ImageOptions, deblur_file, plan
from srn_tf.media.images import read_photograph, write_image
from srn_tf.weights.run_folder import checkpoint_folder, checkpoint_steps, load_model
from srn_tf.weights.starter import STARTER

_RESULT = "result-"  # how the folders of results begin


def weights_here() -> list[str]:
    """The weights of the package, and the run folders in runs/, where training puts them."""
    folders = sorted(path.parent for path in Path("runs").glob("*/config.json"))
    return [STARTER, *(str(f) for f in folders if checkpoint_steps(checkpoint_folder(f)))]


class Pictures(NamedTuple):
    """Two PNGs of one size, as the browser shows them under a slider.

    Attributes:
      before: the photograph.
      after: what became of it.
      notes: what of its metadata could not be kept, a line each.
    """

    before: Path
    after: Path
    notes: list[str]


class Worker:
    """Deblurs one photograph at a time.

    Args:
      max_megapixels: refuse larger photographs before decoding them; 1 is 1e6 pixels.
    """

    def __init__(self, max_megapixels: float):
        self.max_megapixels = max_megapixels
        self._report: Callable[[float], None] = lambda share: None
        self._load = functools.lru_cache(maxsize=4)(load_model)
        self._deblurrer = functools.lru_cache(maxsize=8)(self._new_deblurrer)

    def load(self, run_dir: str) -> None:
        """Loads the weights of a run folder, so that the first photograph need not wait for them.

        Raises:
          InputError: no run folder, or it holds no checkpoint.
        """
        self._load(run_dir)

    def deblur(
        self,
        photograph: Path,
        run_dir: str,
        tile: int | None,
        halo: int | None,
        report: Callable[[float], None],
    ) -> Pictures:
        """Writes the PNGs into a new folder beside `photograph`, and removes those before.

        A new name each time: a browser does not load again what it has shown under the same.

        Args:
          photograph: an image file.
          run_dir: the weights.
          tile: as that of `Deblurrer`.
          halo: as that of `Deblurrer`.
          report: called with the share that is done; what it raises ends the work.

        Raises:
          InputError: `srn_tf.deblur` refuses this file, or the run folder is gone. The message is
            the same, with the bare name of the file.
          RunError: out of memory.
        """
        self._report = report
        folder = photograph.with_name(f"{_RESULT}{uuid.uuid4().hex}")
        before, after = f"{photograph.stem}_before.png", f"{photograph.stem}_deblurred.png"
        try:
            with written_beside(folder) as temporary:
                (job,) = plan(photograph, temporary / after).jobs
                options = ImageOptions(max_megapixels=self.max_megapixels)
                notes = deblur_file(self._deblurrer(run_dir, tile, halo), job, options)
                original = read_photograph(photograph, self.max_megapixels)
                write_image(temporary / before, *original)
        except (InputError, RunError) as error:
            raise type(error)(_without_folder(str(error), photograph)) from None
        for older in photograph.parent.glob(f"{_RESULT}*"):
            if older != folder:
                remove(older)
        notes = [_without_folder(note, photograph) for note in notes]
        return Pictures(folder / before, folder / after, notes)

    def _new_deblurrer(self, run_dir: str, tile: int | None, halo: int | None) -> Deblurrer:
        return Deblurrer(
            self._load(run_dir), tile, halo, on_progress=lambda share: self._report(share)
        )


def _without_folder(line: str, photograph: Path) -> str:
    """A visitor knows the name of the photograph, not where it is kept."""
    return line.replace(f"{photograph.parent}{os.sep}", "")
