"""Checks a download of paired images: what is there, counted, decoded, compared in size."""

from __future__ import annotations

import collections
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from srn_tf.common.errors import InputError, RunError
from srn_tf.common.progress import progress
from srn_tf.data import PairFiles
from srn_tf.media.images import read_rgb


def check_pairs(
    title: str, files: Sequence[PairFiles], missing: Sequence[str], expected: int, source: str
) -> None:
    """Prints the number of pairs in each group, then every fault.

    Args:
      title: of the data set.
      files: what is there.
      missing: names of what is not.
      expected: number of images of the whole data set.
      source: where it is found.

    Raises:
      RunError: there are faults.
    """
    groups = collections.Counter(pair.sequence or "(all)" for pair in files)
    for group, count in groups.items():
        print(f"{group:<24}{count:>6}")
    faults = [f"{name} is missing" for name in missing]
    if len(files) != expected:
        faults.append(f"{title}: {len(files)} images instead of {expected}")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        checked = pool.map(_fault, files)
        faults += filter(None, progress(checked, "decoding", len(files), "pair"))
    print(*faults, sep="\n", end="\n" if faults else "")
    if faults:
        plural = "s" if len(faults) > 1 else ""
        raise RunError(f"{title}: {len(faults)} fault{plural}, named above. Source: {source}")
    print(f"complete: all {expected} images of {title} are there and readable")


def _fault(pair: PairFiles) -> str | None:
    try:
        blurred, sharp = (read_rgb(path).shape for path in (pair.blurred, pair.sharp))
    except InputError as error:
        return str(error)
    if blurred != sharp:
        return f"{pair.blurred} and {pair.sharp} differ in size"
    return None
