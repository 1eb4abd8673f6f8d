"""Deblurring image files: which input goes to which output, and what is done to each.

An output has the name and the suffix of its input, so that `a.png` and `a.jpg` stay apart. Gray
images stay gray, alpha channels are copied, 16 bits stay 16 bits, and EXIF and the colour profile
go along.
"""

from __future__ import annotations

import collections
import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from srn_tf.common.errors import InputError, RunError
from srn_tf.common.files import check_regular
from srn_tf.common.folders import files_below
from srn_tf.common.progress import progress, say
from srn_tf.media.images import (
    MAX_MEGAPIXELS,
    SUFFIXES,
    has_alpha,
    is_image,
    read_photograph,
    refuse_unwritable,
    write_image,
)
from srn_tf.media.metadata import Metadata

if TYPE_CHECKING:
    from srn_tf.inference.deblurrer import Deblurrer


class Job(NamedTuple):
    """One file to deblur."""

    source: Path
    target: Path


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be done, and what is not.

    Attributes:
      jobs: the files to deblur.
      unreadable: a line for each folder below the source that cannot be read.
      left_out: how many files were no images, by suffix.
    """

    jobs: list[Job]
    unreadable: list[str] = dataclasses.field(default_factory=list)
    left_out: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)


@dataclasses.dataclass(frozen=True)
class ImageOptions:
    """How image files are written.

    Attributes:
      compare: input and output side by side.
      max_megapixels: larger images are refused before decoding them; 1 is 1e6 pixels.
      strip_metadata: leave EXIF and the colour profile out.
    """

    compare: bool = False
    max_megapixels: float = MAX_MEGAPIXELS
    strip_metadata: bool = False


def plan(source: Path, output: Path) -> Plan:
    """What to write where: one job for an image, one for each image below a folder.

    The structure of a folder is kept and links to folders are followed. Hidden files are left out,
    and so is whatever lies in `output` when that is inside of `source`.

    Raises:
      InputError: `source` is missing, no regular file, or holds no image, or an output would
        overwrite an input.
    """
    planned = Plan([])
    if source.is_dir():
        if output.is_file():
            raise InputError(f"{output} is a file: a folder of images needs a folder for --output")
        output_ = output.resolve()
        is_inside = source.resolve() in output_.parents
        for path in files_below(source, lambda error: planned.unreadable.append(str(error))):
            if is_inside and output_ in path.resolve().parents:
                continue
            if is_image(path):
                planned.jobs.append(Job(path, output / path.relative_to(source)))
            else:
                planned.left_out[path.suffix.lower() or "without suffix"] += 1
        planned.jobs.sort()
    else:
        check_regular(source)
        if is_image(source):
            to_file = output.suffix.lower() in SUFFIXES and not output.is_dir()
            planned.jobs.append(Job(source, output if to_file else output / source.name))
    if not planned.jobs:
        reasons = planned.unreadable or [f"known are {', '.join(SUFFIXES)}"]
        raise InputError(f"{source}: no image here ({'; '.join(reasons)})")
    inputs = {os.path.realpath(job.source) for job in planned.jobs}
    for job in planned.jobs:
        if os.path.realpath(job.target) in inputs:
            raise InputError(f"{job.target} is an input: choose another --output")
    return planned


def deblur_files(deblurrer: Deblurrer, planned: Plan, options: ImageOptions) -> None:
    """All of them, whatever happens to some; what was no image is counted at the end.

    Raises:
      RunError: some failed; the message names each.
    """
    failures = list(planned.unreadable)
    for job in progress(planned.jobs, "deblurring"):
        try:
            for note in deblur_file(deblurrer, job, options):
                say(note, sys.stderr)
        except (InputError, RunError) as error:
            failures.append(str(error))
        except (OSError, MemoryError) as error:  # which name no file
            failures.append(f"{job.source}: {str(error) or 'out of memory'}")
    if planned.left_out:
        counts = ", ".join(f"{count} {suffix}" for suffix, count in planned.left_out.most_common())
        print(f"left out, as they are no images: {counts}")
    if failures:
        count = len(failures) - len(planned.unreadable)
        raise RunError("\n  ".join([f"{count} of {len(planned.jobs)} images failed:", *failures]))


def deblur_file(deblurrer: Deblurrer, job: Job, options: ImageOptions) -> list[str]:
    """Deblurs one image file.

    Returns:
      What of its metadata could not be kept, a line each.

    Raises:
      InputError: the image is unreadable or too large, or its output format cannot hold it.
      RunError: out of memory, or the network's output is not finite.
    """
    image, metadata = read_photograph(job.source, options.max_megapixels)
    if options.strip_metadata:
        metadata = Metadata(alpha=metadata.alpha)
    shape = (image.shape[0], 2 * image.shape[1], *image.shape[2:])
    shown = np.broadcast_to(image[:1, :1], shape) if options.compare else image
    refuse_unwritable(job.target, shown, metadata)
    try:
        deblurred = deblur_image(deblurrer, image)
    except RunError as error:
        raise RunError(f"{job.source}: {error}") from None
    result = np.hstack([image, deblurred]) if options.compare else deblurred
    notes = metadata.notes + write_image(job.target, result, metadata)
    return [f"{job.source}: {note}" for note in notes]


def deblur_image(deblurrer: Deblurrer, image: np.ndarray) -> np.ndarray:
    """An array as `read_photograph` returns it, to the same shape and dtype; alpha is copied."""
    if has_alpha(image):
        colours = image[..., 0] if image.shape[2] == 2 else image[..., :3]
        return np.dstack([deblur_image(deblurrer, colours), image[..., -1:]])
    if image.ndim == 2:
        deblurred = deblurrer(np.repeat(image[..., None], 3, axis=2))
        return cv2.cvtColor(deblurred, cv2.COLOR_RGB2GRAY)
    return deblurrer(np.ascontiguousarray(image))
