"""Deblurring files: which input goes to which output, and what is done to each.

An output has the name of its input, and its suffix wherever that format is written here, so that
`a.png` and `a.jpg` stay apart. Gray images stay gray, alpha channels are copied, 16 bits stay 16
bits, and EXIF and the colour profile are copied.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from srn_tf.common.errors import InputError, RunError, named
from srn_tf.common.files import check_regular
from srn_tf.common.folders import files_below
from srn_tf.common.progress import Progress
from srn_tf.common.threads import ahead
from srn_tf.inference.options import Options
from srn_tf.inference.video_files import deblur_video
from srn_tf.media import containers, images
from srn_tf.media.containers import is_video, written_name
from srn_tf.media.images import (
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


def plan(source: Path, output: str | os.PathLike) -> list[Job]:
    """What to write where: one job for a file, one for each image and video below a folder.

    For one file, `output` is a file if it has the suffix of a format that is written here; it is a
    folder if it exists as one, ends with a slash, or has no suffix. The structure of a folder is
    kept and links to folders are followed. Hidden files are left out, and so is whatever lies in
    `output` when that is inside of `source`; files of other kinds are counted on stdout.

    Raises:
      InputError: `source` is missing, no regular file, or holds neither image nor video, a folder
        below it cannot be read, or `output` has an unknown suffix or would overwrite an input.
    """
    jobs, left_out = [], collections.Counter()
    if source.is_dir():
        folder = Path(output)
        if folder.is_file():
            raise InputError(f"{folder} is a file: a folder needs a folder for --output")
        inside = folder.resolve() if source.resolve() in folder.resolve().parents else None
        for path in files_below(source):
            if inside and inside in path.resolve().parents:
                continue
            if is_image(path) or is_video(path):
                jobs.append(Job(path, folder / written_name(path.relative_to(source))))
            else:
                left_out[path.suffix.lower() or "without suffix"] += 1
        jobs.sort()
    else:
        check_regular(source)
        if is_image(source) or is_video(source):
            jobs.append(Job(source, _target(source, output)))
    if not jobs:
        known = ", ".join((*images.SUFFIXES, *containers.SUFFIXES))
        raise InputError(f"{source}: no image or video here (known are {known})")
    inputs = {os.path.realpath(job.source) for job in jobs}
    for job in jobs:
        if os.path.realpath(job.target) in inputs:
            raise InputError(f"{job.target} is an input: choose another --output")
    if left_out:
        counts = ", ".join(f"{count} {suffix}" for suffix, count in left_out.most_common())
        print(f"left out, as they are neither images nor videos: {counts}")
    return jobs


def _target(source: Path, output: str | os.PathLike) -> Path:
    """The file to write: `output`, or one named like the input in the folder `output`."""
    path, suffix = Path(output), Path(output).suffix.lower()
    if path.is_dir() or os.fspath(output).endswith("/") or not suffix:
        return path / written_name(Path(source.name))
    known = containers.CONTAINERS if is_video(source) else images.SUFFIXES
    if suffix not in known:
        raise InputError(
            f"{output}: {suffix} cannot be written here; known are {', '.join(known)} "
            f"(the name of a new folder: {output}/)"
        )
    return path


def deblur_files(
    deblurrer: Deblurrer, jobs: list[Job], options: Options
) -> list[InputError | RunError]:
    """Deblurs all of them, whatever happens to some; what cannot be kept is named at the end.

    While an image is computed, the next one is decoded and the last one is encoded.

    Returns:
      The errors of those that failed; each names its file.
    """
    failures, sources_of = [], collections.defaultdict(list)

    @contextlib.contextmanager
    def attempt(job: Job) -> Iterator[None]:
        try:
            yield
        except (InputError, RunError) as error:
            failures.append(error)
        except (OSError, MemoryError) as error:  # which name no file
            failures.append(RunError(f"{job.source}: {str(error) or 'out of memory'}"))

    def read(job: Job) -> tuple[Job, Photograph | None]:
        with attempt(job):
            if not is_video(job.source):
                return job, _read(job, options)
        return job, None

    def compute(read: Iterable[tuple[Job, Photograph | None]]) -> Iterator[tuple[Job, Photograph]]:
        for job, photograph in read:
            result = None
            with attempt(job):
                if is_video(job.source):
                    for note in deblur_video(deblurrer, *job, options):
                        sources_of[note].append(job.source)
                elif photograph is not None:
                    with_bar = functools.partial(deblurrer, on_progress=show)
                    result = _computed(with_bar, job, photograph, options)
            if result is not None:
                yield job, result
            bar.update()

    def write(computed: tuple[Job, Photograph]) -> None:
        job, photograph = computed
        with attempt(job):
            for note in write_image(job.target, *photograph):
                sources_of[note].append(job.source)

    def show(share: float) -> None:
        bar.set_postfix_str(f"{share:.0%} of this one" if share < 1 else "", refresh=False)
        bar.update(0)

    bar = Progress("deblurring", len(jobs), "file")
    with bar, ThreadPoolExecutor(1) as reading, ThreadPoolExecutor(1) as writing:
        for _ in ahead(writing, write, compute(ahead(reading, read, jobs, 1)), 1):
            pass
    for note, sources in sources_of.items():
        print(f"{named(sources)}: {note}", file=sys.stderr)
    return failures


def _read(job: Job, options: Options) -> Photograph:
    image, metadata = read_photograph(job.source, options.max_megapixels)
    if options.strip_metadata:
        metadata = Metadata(alpha=metadata.alpha)
    shape = (image.shape[0], 2 * image.shape[1], *image.shape[2:])
    shown = np.broadcast_to(image[:1, :1], shape) if options.compare else image
    refuse_unwritable(job.target, shown, metadata)
    return Photograph(image, metadata)


def _computed(
    deblurrer: Deblurrer, job: Job, photograph: Photograph, options: Options
) -> Photograph:
    image, metadata = photograph
    try:
        deblurred = deblur_image(deblurrer, image)
    except RunError as error:
        raise RunError(f"{job.source}: {error}") from None
    return Photograph(np.hstack([image, deblurred]) if options.compare else deblurred, metadata)


def deblur_image(deblurrer: Deblurrer, image: np.ndarray) -> np.ndarray:
    """An array as `read_photograph` returns it, to the same shape and dtype; alpha is copied."""
    if has_alpha(image):
        colours = image[..., 0] if image.shape[2] == 2 else image[..., :3]
        return np.dstack([deblur_image(deblurrer, colours), image[..., -1:]])
    if image.ndim == 2:
        deblurred = deblurrer(np.repeat(image[..., None], 3, axis=2))
        return cv2.cvtColor(deblurred, cv2.COLOR_RGB2GRAY)
    return deblurrer(np.ascontiguousarray(image))
