"""Deblurring files: which input goes to which output, and what is done to each.

An output has the name of its input, and its suffix wherever that format is written here, so that
`a.png` and `a.jpg` stay apart. Gray images stay gray, alpha channels are copied, 16 bits stay 16
bits, and EXIF and the colour profile are copied.
"""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from srn_tf.common.errors import InputError, RunError, named
from srn_tf.common.files import check_regular
from srn_tf.common.folders import files_below
from srn_tf.common.progress import progress, say
from srn_tf.common.threads import ahead
from srn_tf.inference.video_files import VideoOptions, deblur_video
from srn_tf.media import containers, images
from srn_tf.media.containers import is_video, written_name
from srn_tf.media.images import (
    MAX_MEGAPIXELS,
    Photograph,
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
      left_out: how many files were neither image nor video, by suffix.
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


def plan(source: Path, output: str | os.PathLike) -> Plan:
    """What to write where: one job for a file, one for each image and video below a folder.

    For one file, `output` is a file if it has the suffix of a format that is written here; it is a
    folder if it exists as one, ends with a slash, or has no suffix. The structure of a folder is
    kept and links to folders are followed. Hidden files are left out, and so is whatever lies in
    `output` when that is inside of `source`.

    Raises:
      InputError: `source` is missing, no regular file, or holds neither image nor video, or
        `output` has an unknown suffix or would overwrite an input.
    """
    planned = Plan([])
    if source.is_dir():
        folder = Path(output)
        if folder.is_file():
            raise InputError(f"{folder} is a file: a folder needs a folder for --output")
        inside = folder.resolve() if source.resolve() in folder.resolve().parents else None
        for path in files_below(source, lambda error: planned.unreadable.append(str(error))):
            if inside and inside in path.resolve().parents:
                continue
            if is_image(path) or is_video(path):
                planned.jobs.append(Job(path, folder / written_name(path.relative_to(source))))
            else:
                planned.left_out[path.suffix.lower() or "without suffix"] += 1
        planned.jobs.sort()
    else:
        check_regular(source)
        if is_image(source) or is_video(source):
            planned.jobs.append(Job(source, _target(source, output)))
    if not planned.jobs:
        known = ", ".join((*images.SUFFIXES, *containers.SUFFIXES))
        reasons = planned.unreadable or [f"known are {known}"]
        raise InputError(f"{source}: no image or video here ({'; '.join(reasons)})")
    inputs = {os.path.realpath(job.source) for job in planned.jobs}
    for job in planned.jobs:
        if os.path.realpath(job.target) in inputs:
            raise InputError(f"{job.target} is an input: choose another --output")
    return planned


def _target(source: Path, output: str | os.PathLike) -> Path:
    """The file to write: `output`, or one named like the input in the folder `output`."""
    path, suffix = Path(output), Path(output).suffix.lower()
    is_version = suffix[1:].isdigit()  # results-0.5
    if path.is_dir() or os.fspath(output).endswith("/") or not suffix or is_version:
        return path / written_name(Path(source.name))
    known = containers.CONTAINERS if is_video(source) else images.SUFFIXES
    if suffix not in known:
        raise InputError(
            f"{output}: {suffix} cannot be written here; known are {', '.join(known)} "
            f"(the name of a new folder: {output}/)"
        )
    return path


def deblur_files(
    deblurrer: Deblurrer,
    planned: Plan,
    options: ImageOptions,
    video_options: VideoOptions | None = None,
) -> None:
    """All of them, whatever happens to some; what cannot be kept is named at the end.

    While an image is computed, the next one is decoded and the last one is encoded.

    Raises:
      RunError: some failed; the message names each.
    """
    failures, sources_of = list(planned.unreadable), collections.defaultdict(list)

    def attempt(job: Job, work: Callable):
        try:
            return work()
        except (InputError, RunError) as error:
            failures.append(str(error))
        except (OSError, MemoryError) as error:  # which name no file
            failures.append(f"{job.source}: {str(error) or 'out of memory'}")
        return None

    def read(job: Job) -> Photograph | None:
        if is_video(job.source):
            return None
        return attempt(job, lambda: _read(job, options))

    def write(job: Job, image: np.ndarray, metadata: Metadata) -> None:
        for note in attempt(job, lambda: write_image(job.target, image, metadata)) or ():
            sources_of[note].append(job.source)

    pool = concurrent.futures.ThreadPoolExecutor
    with pool(1) as reading, pool(1) as writing:
        written = None
        photographs = ahead(reading, read, planned.jobs, 1)
        for job, photograph in zip(progress(planned.jobs, "deblurring", unit="file"), photographs):
            if is_video(job.source):
                work = functools.partial(
                    deblur_video, deblurrer, *job, video_options or VideoOptions()
                )
                for note in attempt(job, work) or ():
                    say(note, sys.stderr)
            elif photograph is not None:
                work = functools.partial(_computed, deblurrer, job, photograph.image, options)
                result = attempt(job, work)
                if written is not None:
                    written.result()
                if result is not None:
                    written = writing.submit(write, job, result, photograph.metadata)
        if written is not None:
            written.result()
    for note, sources in sources_of.items():
        print(f"{named(sources)}: {note}", file=sys.stderr)
    if planned.left_out:
        counts = ", ".join(f"{count} {suffix}" for suffix, count in planned.left_out.most_common())
        print(f"left out, as they are neither images nor videos: {counts}")
    if failures:
        count = len(failures) - len(planned.unreadable)
        raise RunError("\n  ".join([f"{count} of {len(planned.jobs)} files failed:", *failures]))


def deblur_file(deblurrer: Deblurrer, job: Job, options: ImageOptions) -> list[str]:
    """Deblurs one image file.

    Returns:
      What of the file could not be kept, a line each.

    Raises:
      InputError: the image is unreadable or too large, or its output format cannot hold it.
      RunError: out of memory, or the network's output is not finite.
    """
    image, metadata = _read(job, options)
    result = _computed(deblurrer, job, image, options)
    notes = write_image(job.target, result, metadata)
    return [f"{job.source}: {note}" for note in notes]


def _read(job: Job, options: ImageOptions) -> Photograph:
    image, metadata = read_photograph(job.source, options.max_megapixels)
    if options.strip_metadata:
        metadata = Metadata(alpha=metadata.alpha)
    shape = (image.shape[0], 2 * image.shape[1], *image.shape[2:])
    shown = np.broadcast_to(image[:1, :1], shape) if options.compare else image
    refuse_unwritable(job.target, shown, metadata)
    return Photograph(image, metadata)


def _computed(
    deblurrer: Deblurrer, job: Job, image: np.ndarray, options: ImageOptions
) -> np.ndarray:
    try:
        deblurred = deblur_image(deblurrer, image)
    except RunError as error:
        raise RunError(f"{job.source}: {error}") from None
    return np.hstack([image, deblurred]) if options.compare else deblurred


def deblur_image(deblurrer: Deblurrer, image: np.ndarray) -> np.ndarray:
    """An array as `read_photograph` returns it, to the same shape and dtype; alpha is copied."""
    if has_alpha(image):
        colours = image[..., 0] if image.shape[2] == 2 else image[..., :3]
        return np.dstack([deblur_image(deblurrer, colours), image[..., -1:]])
    if image.ndim == 2:
        deblurred = deblurrer(np.repeat(image[..., None], 3, axis=2))
        return cv2.cvtColor(deblurred, cv2.COLOR_RGB2GRAY)
    return deblurrer(np.ascontiguousarray(image))
