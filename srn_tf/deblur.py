"""Deblurs an image, a video, or a folder of them.

    python -m srn_tf.deblur --input=photo.jpg --output=deblurred/

Without --run_dir it takes the weights that come with the package (srn_tf/weights/MODEL_CARD.md).
Outputs have the name and format of their inputs. Files that fail are named at the end, all others
are done.
"""

from __future__ import annotations

import dataclasses
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from srn_tf.common.cli import run
from srn_tf.common.errors import InputError
from srn_tf.common.flags import define_flags, given, read_flags
from srn_tf.common.options import PathText, number, one_of
from srn_tf.common.start import start_tensorflow

if TYPE_CHECKING:
    from srn_tf.inference.deblurrer import Deblurrer


@dataclasses.dataclass(frozen=True)
class Flags:
    """What is deblurred, and how.

    Files:
      input: Image, video, or folder that is searched for both at all depths.
      output: File to write, its suffix choosing the format, or folder, whose outputs are named like
        their inputs. JPEG, AVIF and HEIC have quality 95; of videos only --codec=ffv1 is without
        loss.
      compare: Write input and output side by side.
      overwrite: Redo outputs that exist; otherwise they are skipped.
      strip_metadata: Leave EXIF (camera, date, place) and the colour profile out, and title, date
        and place of a video; otherwise they are copied, and what cannot be is named.

    Weights:
      run_dir: Run folder with the weights. Default: those that come with the package.
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
      max_megapixels: Refuse larger images, in millions of pixels, and videos with frames of more
        than a quarter of that, as several are in memory at once.

    Videos:
      codec: Default: H.264 in MP4, MOV and MKV, VP9 in WebM. FFV1, in MKV, is without loss.
      crf: Quality of H.264 (default 18) and VP9 (default 24): 0 is best, larger is smaller.
      frames: A part, START:STOP in frames from 0, without STOP and without sound. Each frame is
        deblurred by itself, so that a video may flicker.
    """

    input: PathText
    output: PathText
    compare: bool = False
    overwrite: bool = False
    strip_metadata: bool = False
    run_dir: PathText | None = None
    saved_model: PathText | None = None
    checkpoint: str = one_of(("latest", "best"), "latest")
    precision: str = one_of(("auto", "float32", "bfloat16"), "auto")
    tile: int | None = number(None, least=1, most=2**20)
    halo: int | None = number(None, least=0, most=2**20)
    max_megapixels: float = number(400.0, above=0, most=1e6)
    codec: str | None = one_of(("h264", "vp9", "ffv1"), None)
    crf: int | None = number(None, least=0, most=51)
    frames: str | None = None


define_flags(Flags)


def main() -> None:
    """Deblurs what the flags say."""
    flags = read_flags(Flags)
    if flags.run_dir and flags.saved_model:
        raise InputError("pass either --run_dir or --saved_model")
    for name in given(Flags):
        if flags.saved_model and name in ("checkpoint", "precision", "tile", "halo"):
            raise InputError(f"--{name} needs --run_dir: a SavedModel has its own way")
    start_tensorflow()
    import PIL.Image

    from srn_tf.inference.image_files import ImageOptions, deblur_file, deblur_files, plan
    from srn_tf.inference.video_files import VideoOptions, deblur_video, parse_frames
    from srn_tf.media.containers import is_video

    PIL.Image.MAX_IMAGE_PIXELS = None  # --max_megapixels is the limit here
    frames = parse_frames(flags.frames) if flags.frames else None
    source = Path(flags.input)
    planned = plan(source, flags.output)
    has_videos = any(is_video(job.source) for job in planned.jobs)
    for name in given(Flags):
        if name in ("codec", "crf", "frames") and not has_videos:
            raise InputError(f"--{name} is for videos: {source} is none")
    remaining = [job for job in planned.jobs if flags.overwrite or not job.target.exists()]
    kept = len(planned.jobs) - len(remaining)
    if kept:
        print(f"{kept} outputs exist and are kept (--overwrite redoes them)")
    if not remaining and not planned.unreadable:
        return
    compare, strip, most = flags.compare, flags.strip_metadata, flags.max_megapixels
    options = ImageOptions(compare, most, strip)
    video_options = VideoOptions(compare, flags.codec, flags.crf, frames, strip, most / 4)
    if source.is_dir():
        planned = dataclasses.replace(planned, jobs=remaining)
        deblur_files(_load(flags), planned, options, video_options)
    else:
        (job,) = remaining
        if is_video(source):
            notes = deblur_video(_load(flags), *job, video_options)
        else:
            notes = deblur_file(_load(flags), job, options)
        for note in notes:
            print(note, file=sys.stderr)
    print(f"{flags.output}: done")


def _load(flags: Flags) -> Deblurrer:
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
        show_progress=True,
    )


script = partial(run, main)  # srn-deblur

if __name__ == "__main__":
    script()
