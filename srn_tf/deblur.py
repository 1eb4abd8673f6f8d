"""Deblurs an image, a video, or a folder of them.

    python -m srn_tf.deblur --input=photo.jpg --output=deblurred/

Without --run_dir it takes the weights that come with the package (srn_tf/weights/MODEL_CARD.md).
In a folder, outputs have the names and formats of their inputs. Files that fail are named at the
end (exit status 1), all others are done.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from srn_tf.common.cli import run
from srn_tf.common.errors import InputError, RunError
from srn_tf.common.flags import define_flags, given, read_flags
from srn_tf.common.options import PathText, number, one_of
from srn_tf.common.start import start_tensorflow
from srn_tf.inference.options import Options

if TYPE_CHECKING:
    from srn_tf.inference.deblurrer import Deblurrer


@dataclasses.dataclass(frozen=True)
class Flags:
    """What is deblurred, with which weights.

    Files:
      input: Image, video, or folder that is searched for both at all depths.
      output: File to write, its suffix choosing the format, or folder, whose outputs are named like
        their inputs. JPEG, AVIF and HEIC have quality 95; of videos only --codec=ffv1 is without
        loss.
      overwrite: Redo outputs that exist; otherwise they are skipped.

    Weights:
      run_dir: Run folder with the weights. Default: starter, those that come with the package.
      saved_model: Folder written by srn_tf.export, in place of --run_dir.
      checkpoint: Which checkpoint of the run folder.
      precision: How the network computes: auto takes bfloat16 where the processor or the GPU
        computes in it, which is nearly twice as fast and changes some values by a gray level or
        two.

    Large images:
      tile: Height and width in pixels of the tiles of large images. Default: as large as fit into
        half of the free memory; images that fit whole are not cut.
      halo: Overlap of the tiles on each side in pixels. Default: the receptive field of the
        network, so that tiles change nothing. Less is faster and inexact.
    """

    input: PathText
    output: PathText
    overwrite: bool = False
    run_dir: PathText | None = None
    saved_model: PathText | None = None
    checkpoint: str = one_of(("latest", "best"), "latest")
    precision: str = one_of(("auto", "float32", "bfloat16"), "auto")
    tile: int | None = number(None, least=1, most=2**20)
    halo: int | None = number(None, most=2**20)


define_flags(Flags)
define_flags(Options)


def main() -> None:
    """Deblurs what the flags say."""
    flags, options = read_flags(Flags), read_flags(Options)
    if flags.run_dir and flags.saved_model:
        raise InputError("pass either --run_dir or --saved_model")
    for name in given(Flags):
        if flags.saved_model and name in ("checkpoint", "precision", "tile", "halo"):
            raise InputError(f"--{name} needs --run_dir: a SavedModel has its own way")
    import PIL.Image

    from srn_tf.inference.files import deblur_files, plan  # takes a second, TensorFlow several
    from srn_tf.media.containers import is_video

    PIL.Image.MAX_IMAGE_PIXELS = None  # --max_megapixels is the limit here
    source = Path(flags.input)
    jobs = plan(source, flags.output)
    for name in given(Options):
        is_for_videos = name in ("codec", "crf", "frames")
        if is_for_videos and not any(is_video(job.source) for job in jobs):
            raise InputError(f"--{name} is for videos: {source} is none")
    remaining = [job for job in jobs if flags.overwrite or not job.target.exists()]
    if len(remaining) < len(jobs):
        kept = len(jobs) - len(remaining)
        print(f"{kept} outputs exist and are kept (--overwrite redoes them)")
    if not remaining:
        return
    failures = deblur_files(_load(flags), remaining, options)
    if failures and source.is_dir():
        count = f"{len(failures)} of {len(remaining)} files failed:"
        raise RunError("\n  ".join([count, *map(str, failures)]))
    if failures:
        raise failures[0]
    print(f"{flags.output}: done")


def _load(flags: Flags) -> Deblurrer:
    start_tensorflow()
    from srn_tf.inference.deblurrer import Deblurrer
    from srn_tf.weights.starter import NOTE, STARTER

    if flags.saved_model:
        return Deblurrer.from_saved_model(flags.saved_model)
    if flags.run_dir is None:
        print(NOTE)
    return Deblurrer.from_run_dir(
        flags.run_dir or STARTER,
        flags.checkpoint,
        tile=flags.tile,
        halo=flags.halo,
        precision=flags.precision,
    )


script = partial(run, main)  # srn-deblur

if __name__ == "__main__":
    script()
