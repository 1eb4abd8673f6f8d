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
from srn_tf.common.flags import define
from srn_tf.common.start import start_tensorflow

if TYPE_CHECKING:
    from srn_tf.inference.deblurrer import Deblurrer

_FILES, _VIDEO, _WEIGHTS, _SIZE = "Files", "Videos", "Weights", "Large images"
INPUT = define(
    "input",
    Path,
    None,
    "Image, video, or folder that is searched for both at all depths.",
    group=_FILES,
    required=True,
)
OUTPUT = define(
    "output",
    Path,
    None,
    "File to write, its suffix choosing the format, or folder, whose outputs are named like their "
    "inputs. JPEG, AVIF and HEIC have quality 95; of videos only --codec=ffv1 is without loss.",
    group=_FILES,
    required=True,
)
COMPARE = define("compare", bool, False, "Write input and output side by side.", group=_FILES)
OVERWRITE = define(
    "overwrite", bool, False, "Redo outputs that exist; otherwise they are skipped.", group=_FILES
)
RUN_DIR = define(
    "run_dir",
    Path,
    None,
    "Run folder with the weights. Default: those that come with the package.",
    group=_WEIGHTS,
)
SAVED_MODEL = define(
    "saved_model",
    Path,
    None,
    "Folder written by srn_tf.export, in place of --run_dir.",
    group=_WEIGHTS,
)
CHECKPOINT = define(
    "checkpoint",
    str,
    "latest",
    "Which checkpoint of the run folder.",
    group=_WEIGHTS,
    choices=("latest", "best"),
)
TILE = define(
    "tile",
    int,
    None,
    "Height and width in pixels of the tiles of large images. Default: as large as "
    "fit into half of the free memory; images that fit whole are not cut.",
    group=_SIZE,
    least=1,
    most=2**20,
)
HALO = define(
    "halo",
    int,
    None,
    "Overlap of the tiles on each side in pixels. Default: the receptive field of the network, so "
    "that tiles change nothing. Less is faster and inexact.",
    group=_SIZE,
    least=0,
    most=2**20,
)
PRECISION = define(
    "precision",
    str,
    "auto",
    "How the network computes: auto takes bfloat16 where the processor or the GPU computes in it, "
    "which is nearly twice as fast and changes some values by a gray level or two.",
    group=_WEIGHTS,
    choices=("auto", "float32", "bfloat16"),
)
MAX_MEGAPIXELS = define(
    "max_megapixels",
    float,
    400.0,
    "Refuse larger images, in millions of pixels, and videos with frames of more than a quarter of "
    "that, as several are in memory at once.",
    group=_SIZE,
    above=0,
    most=1e6,
)
STRIP_METADATA = define(
    "strip_metadata",
    bool,
    False,
    "Leave EXIF (camera, date, place) and the colour profile out, and title, date and place of a "
    "video; otherwise they are copied, and what cannot be is named.",
    group=_FILES,
)
CODEC = define(
    "codec",
    str,
    None,
    "Default: H.264 in MP4, MOV and MKV, VP9 in WebM. FFV1, in MKV, is without loss.",
    group=_VIDEO,
    choices=("h264", "vp9", "ffv1"),
)
CRF = define(
    "crf",
    int,
    None,
    "Quality of H.264 (default 18) and VP9 (default 24): 0 is best, larger is smaller.",
    group=_VIDEO,
    least=0,
    most=51,
)
FRAMES = define(
    "frames",
    str,
    None,
    "A part, START:STOP in frames from 0, without STOP and without sound. Each frame is deblurred "
    "by itself, so that a video may flicker.",
    group=_VIDEO,
)


def main() -> None:
    """Deblurs what the flags say."""
    if RUN_DIR.value is not None and SAVED_MODEL.value is not None:
        raise InputError("pass either --run_dir or --saved_model")
    for flag in (CHECKPOINT, PRECISION, TILE, HALO):
        if SAVED_MODEL.value is not None and flag.present:
            raise InputError(f"--{flag.name} needs --run_dir: a SavedModel has its own way")
    start_tensorflow()
    import PIL.Image

    from srn_tf.inference.image_files import ImageOptions, deblur_file, deblur_files, plan
    from srn_tf.inference.video_files import VideoOptions, deblur_video, parse_frames
    from srn_tf.media.containers import is_video

    PIL.Image.MAX_IMAGE_PIXELS = None  # --max_megapixels is the limit here
    frames = None if FRAMES.value is None else parse_frames(FRAMES.value)
    source = Path(INPUT.value)
    planned = plan(source, OUTPUT.value)
    for flag in (CODEC, CRF, FRAMES):
        if flag.value is not None and not any(is_video(job.source) for job in planned.jobs):
            raise InputError(f"--{flag.name} is for videos: {source} is none")
    remaining = [job for job in planned.jobs if OVERWRITE.value or not job.target.exists()]
    kept = len(planned.jobs) - len(remaining)
    if kept:
        print(f"{kept} outputs exist and are kept (--overwrite redoes them)")
    if not remaining and not planned.unreadable:
        return
    compare, strip, most = COMPARE.value, STRIP_METADATA.value, MAX_MEGAPIXELS.value
    options = ImageOptions(compare, most, strip)
    video_options = VideoOptions(compare, CODEC.value, CRF.value, frames, strip, most / 4)
    if source.is_dir():
        planned = dataclasses.replace(planned, jobs=remaining)
        deblur_files(_load(), planned, options, video_options)
    else:
        (job,) = remaining
        if is_video(source):
            notes = deblur_video(_load(), *job, video_options)
        else:
            notes = deblur_file(_load(), job, options)
        for note in notes:
            print(note, file=sys.stderr)
    print(f"{OUTPUT.value}: done")


def _load() -> Deblurrer:
    from srn_tf.inference.deblurrer import Deblurrer
    from srn_tf.weights.starter import NOTE, STARTER

    if SAVED_MODEL.value is not None:
        return Deblurrer.from_saved_model(SAVED_MODEL.value)
    if RUN_DIR.value is None:
        print(NOTE)
    return Deblurrer.from_run_dir(
        RUN_DIR.value or STARTER,
        CHECKPOINT.value,
        tile=TILE.value,
        halo=HALO.value,
        precision=PRECISION.value,
        show_progress=True,
    )


script = partial(run, main)  # srn-deblur

if __name__ == "__main__":
    script()
