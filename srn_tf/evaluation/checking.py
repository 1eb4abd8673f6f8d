"""Checks a download of a test set: what is there, counted, decoded and compared in size."""

from __future__ import annotations

import collections
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from srn_tf.common.errors import InputError, RunError
from srn_tf.common.progress import progress
from srn_tf.evaluation.datasets import TEST_SETS


def check(name: str, data_dir: str | os.PathLike) -> None:
    """Prints how many images each group of the test set `name` has, then every fault.

    Raises:
      RunError: files are missing, damaged or too many, or an image differs in size from its truth.
      InputError: nothing of the set is there.
    """
    test_set = TEST_SETS[name]
    images, missing = test_set.survey(data_dir)
    counts = collections.Counter(image.sequence for image in images)
    expected = test_set.expected
    if isinstance(expected, int):
        counts["all"], expected = len(images), {"all": expected}
    faults = [f"{file} is missing" for file in missing]
    for group in sorted({*counts, *expected} - {""}, key=lambda group: (group == "all", group)):
        count, wanted = counts[group], expected.get(group)
        print(f"{group:<32}{count:>6}" + (f" of {wanted}" if wanted else ""))
        if wanted and count != wanted:
            faults.append(f"{group}: {count} images instead of {wanted}")
        if "all" not in expected and not wanted:
            faults.append(f"{group} is no part of {test_set.title}")

    def size_or_fault(path: Path) -> tuple[int, int] | str:
        try:
            return test_set.size_of(path)
        except InputError as error:
            return str(error)

    files = sorted({path for image in images for path in (image.blurred, *image.truth)})
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = progress(pool.map(size_or_fault, files), "decoding", len(files), "file")
        sizes = dict(zip(files, found))
    faults += [size for size in sizes.values() if isinstance(size, str)]
    for image in images:
        size = sizes[image.blurred]
        others = {sizes[path] for path in image.truth} - {size}
        if isinstance(size, tuple) and any(isinstance(other, tuple) for other in others):
            faults.append(f"{image.blurred} differs in size from {image.truth[0]}")
    print(*faults, sep="\n", end="\n" if faults else "")
    if faults:
        number = f"{len(faults)} fault{'s' * (len(faults) > 1)}"
        raise RunError(f"{data_dir}: {number}, named above. Source: {test_set.source}")
    seen = ", ".join(f"{width}x{height}" for height, width in sorted(set(sizes.values())))
    print(f"complete: all images of {test_set.title} are there and readable ({seen} pixels)")
