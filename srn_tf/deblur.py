"""Deblurs an image, a folder of images or a video.

    python -m srn_tf.deblur --run_dir=runs/SR-EDRB3 --input=photo.jpg --output=deblurred/

Outputs have the name and format of their inputs. Files that fail are named at the end, all others
are done.
"""

from __future__ import annotations

import dataclasses
import mimetypes
import sys
from pathlib import Path

import PIL.Image
from absl import flags

from srn_tf.common.cli import run
from srn_tf.common.errors import InputError
from srn_tf.inference.deblurrer import Deblurrer
from srn_tf.inference.image_files import ImageOptions, Job, Plan, deblur_file, deblur_files, plan
from srn_tf.inference.video_files import CODECS, deblur_video, is_video
from srn_tf.media.images import is_image

RUN_DIR = flags.DEFINE_string("run_dir", None, "Run folder with the weights.")
SAVED_MODEL = flags.DEFINE_string(
    "saved_model", None, "Folder written by srn_tf.export, in place of --run_dir."
)
CHECKPOINT = flags.DEFINE_enum(
    "checkpoint", "latest", ["latest", "best"], "Which checkpoint of the run folder."
)
INPUT = flags.DEFINE_string(
    "input",
    None,
    f"Image, video ({', '.join(CODECS)}), or folder searched for images at all depths.",
    required=True,
)
OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "File to write, its suffix choosing the format, or folder, whose outputs are named like their "
    "inputs. JPEG has quality 95; of the video formats only .mkv (FFV1) is without loss.",
    required=True,
)
TILE = flags.DEFINE_integer(
    "tile",
    None,
    "Height and width in pixels of the tiles in which large images are computed. Default: as large "
    "as fit into about 1 GB; images that fit whole are not cut.",
    lower_bound=1,
)
HALO = flags.DEFINE_integer(
    "halo",
    None,
    "Overlap of the tiles on each side in pixels. Default: the receptive field of the network, so "
    "that tiles change nothing. Less is faster and inexact.",
    lower_bound=0,
)
COMPARE = flags.DEFINE_bool("compare", False, "Write input and output side by side.")
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Redo outputs that exist; default: skip them.")
MAX_MEGAPIXELS = flags.DEFINE_float(
    "max_megapixels", 400, "Refuse larger images, in millions of pixels.", lower_bound=0
)
STRIP_METADATA = flags.DEFINE_bool(
    "strip_metadata",
    False,
    "Leave EXIF (camera, date, place) and the colour profile out; default: copy them.",
)


def main() -> None:
    """Deblurs what the flags say."""
    PIL.Image.MAX_IMAGE_PIXELS = None  # --max_megapixels is the limit here
    if (RUN_DIR.value is None) == (SAVED_MODEL.value is None):
        raise InputError("pass either --run_dir or --saved_model")
    if SAVED_MODEL.value is not None and (TILE.value is not None or HALO.value is not None):
        raise InputError("--tile and --halo need --run_dir: a SavedModel runs images whole")
    if SAVED_MODEL.value is not None and CHECKPOINT.present:
        raise InputError("--checkpoint needs --run_dir: a SavedModel holds one")
    if not MAX_MEGAPIXELS.value > 0:  # also where it is no number
        raise InputError(f"--max_megapixels must be above 0, not {MAX_MEGAPIXELS.value}")
    source, output = Path(INPUT.value), Path(OUTPUT.value)
    _check_format(source, output)
    if is_video(source) and not source.is_dir():
        planned = Plan([Job(source, output if is_video(output) else output / source.name)])
        if source.resolve() == planned.jobs[0].target.resolve():
            raise InputError(f"{source} is the input: choose another --output")
    else:
        planned = plan(source, output)
    remaining = [job for job in planned.jobs if OVERWRITE.value or not job.target.exists()]
    kept = len(planned.jobs) - len(remaining)
    if kept:
        print(f"{kept} outputs exist and are kept (--overwrite redoes them)")
    if not remaining and not planned.unreadable:
        return
    options = ImageOptions(COMPARE.value, MAX_MEGAPIXELS.value, STRIP_METADATA.value)
    if source.is_dir():
        deblur_files(_load(), dataclasses.replace(planned, jobs=remaining), options)
    elif is_video(source):
        deblur_video(_load(), source, remaining[0].target, COMPARE.value)
    else:
        for note in deblur_file(_load(), remaining[0], options):
            print(note, file=sys.stderr)
    print(f"{output}: done")


def _check_format(source: Path, output: Path) -> None:
    """Refuses `clip.gif` as the name of a folder: it was meant to be a file."""
    kind = mimetypes.guess_type(output.name)[0] or ""
    known = is_video(output) if is_video(source) else is_image(output)
    if kind.startswith(("image/", "video/")) and not known and not output.is_dir():
        raise InputError(f"{output}: this format cannot be written here")


def _load() -> Deblurrer:
    if SAVED_MODEL.value is not None:
        return Deblurrer.from_saved_model(SAVED_MODEL.value)
    return Deblurrer.from_run_dir(
        RUN_DIR.value, CHECKPOINT.value, tile=TILE.value, halo=HALO.value, show_progress=True
    )


if __name__ == "__main__":
    run(main)
