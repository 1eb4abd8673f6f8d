"""Deblurring image files: which input goes to which output, and what is done to each.

An output has the name and the suffix of its input, so that `a.png` and `a.jpg` stay apart. Gray
images stay gray, alpha channels are copied, 16 bits stay 16 bits.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import tqdm

from srn_tf.common.errors import InputError, RunError
from srn_tf.common.images import SUFFIXES, image_size, is_image, read_image, write_image
from srn_tf.inference.deblurrer import Deblurrer


class Job(NamedTuple):
    """One file to deblur."""

    source: Path
    target: Path


def plan(source: Path, output: Path) -> list[Job]:
    """What to write where: one job for an image, one for each image below a folder.

    The structure of a folder is kept. Hidden files are left out, and so is whatever lies in
    `output` when that is inside of `source`.

    Raises:
      InputError: `source` is missing or holds no image, or an output would overwrite an input.
    """
    if source.is_dir():
        if output.is_file():
            raise InputError(f"{output} is a file: a folder of images needs a folder for --output")
        paths = (path.relative_to(source) for path in _visible_files(source, output))
        jobs = [Job(source / path, output / path) for path in sorted(paths) if is_image(path)]
    elif source.exists():
        to_file = output.suffix.lower() in SUFFIXES and not output.is_dir()
        jobs = [Job(source, output if to_file else output / source.name)] * is_image(source)
    else:
        raise InputError(f"{source} does not exist")
    if not jobs:
        raise InputError(f"{source}: no image here (known are {', '.join(SUFFIXES)})")
    inputs = {job.source.resolve() for job in jobs}
    for job in jobs:
        if job.target.resolve() in inputs:
            raise InputError(f"{job.target} is an input: choose another --output")
    return jobs


def _visible_files(folder: Path, output: Path) -> Iterable[Path]:
    folder_, output_ = folder.resolve(), output.resolve()
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        made_here = folder_ in output_.parents and output_ in path.resolve().parents
        if path.is_file() and not hidden and not made_here:
            yield path


def deblur_files(
    deblurrer: Deblurrer, jobs: list[Job], compare: bool, max_megapixels: float
) -> None:
    """All of them, whatever happens to some; the arguments are those of `deblur_file`.

    Raises:
      RunError: some failed; the message names each.
    """
    failures = []
    for job in tqdm.tqdm(jobs, unit="image"):
        try:
            deblur_file(deblurrer, job, compare, max_megapixels)
        except (InputError, RunError, OSError) as error:
            failures.append(str(error))
    if failures:
        raise RunError("\n  ".join([f"{len(failures)} of {len(jobs)} images failed:", *failures]))


def deblur_file(deblurrer: Deblurrer, job: Job, compare: bool, max_megapixels: float) -> None:
    """Deblurs one image file.

    Args:
      deblurrer: does the work.
      job: which file, and where to.
      compare: write input and output side by side.
      max_megapixels: refuse larger images before decoding them; 1 is 1e6 pixels.

    Raises:
      InputError: the image is unreadable or too large, or its output format cannot hold it.
      RunError: out of memory.
    """
    height, width = image_size(job.source)
    if height * width > max_megapixels * 1e6:
        raise InputError(
            f"{job.source} has {height * width / 1e6:.1f} megapixels,"
            f" more than --max_megapixels={max_megapixels:g}"
        )
    image = read_image(job.source)
    try:
        deblurred = deblur_image(deblurrer, image)
    except RunError as error:
        raise RunError(f"{job.source}: {error}") from None
    write_image(job.target, np.hstack([image, deblurred]) if compare else deblurred)


def deblur_image(deblurrer: Deblurrer, image: np.ndarray) -> np.ndarray:
    """`[H, W]`, `[H, W, 3]` or `[H, W, 4]`, uint8 or uint16, to the same shape and dtype."""
    if image.ndim == 2:
        deblurred = deblurrer(np.repeat(image[..., None], 3, axis=2))
        return cv2.cvtColor(deblurred, cv2.COLOR_RGB2GRAY)
    deblurred = deblurrer(np.ascontiguousarray(image[..., :3]))
    return np.dstack([deblurred, image[..., 3:]])
