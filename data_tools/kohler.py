"""Checks that a folder holds Köhler's benchmark whole.

    python -m data_tools.kohler --data_dir=.../Koehler

Prints a table of the 48 images with their size, kind and number of ground-truth frames. Exit
status 1 and the names of the files when some are missing, unreadable or differ in size. Only the
headers of the files are read. `srn_tf.evaluation.kohler` says which names are expected.
"""

from __future__ import annotations

from pathlib import Path

from srn_tf.common.cli import run
from srn_tf.common.errors import InputError, RunError
from srn_tf.common.flags import define
from srn_tf.common.progress import progress
from srn_tf.evaluation.kohler import SOURCE, KohlerImage, survey_kohler
from srn_tf.media.images import image_size

_DATA_DIR = define(
    "data_dir",
    Path,
    None,
    "Folder with Blurry{i}_{j}.png and the ground truth, as .mat or PNG, at any depth.",
    group="Input",
    required=True,
)


def check_kohler(data_dir: str) -> tuple[list[str], list[str]]:
    """Rows of a table, one per sound image of the benchmark, and what is wrong with the others.

    Raises:
      InputError: `data_dir` is no folder, or a file is there twice.
    """
    images, missing = survey_kohler(data_dir)
    rows, faults = [], [f"{name} is missing" for name in missing]
    for image in progress(images, "checking"):
        try:
            rows.append(_row(image))
        except InputError as error:
            faults.append(str(error))
    return rows, faults


def _row(image: KohlerImage) -> str:
    count, *size, _ = image.frames_shape()
    blurred_size = image_size(image.blurred)
    if blurred_size != tuple(size):
        raise InputError(
            f"{image.blurred} is {_text(blurred_size)}, its ground truth is {_text(size)}"
        )
    kind = image.ground_truth[0].suffix[1:]
    return f"{image.name:<12}{_text(size):<12}{kind:<6}{count:>6}"


def _text(size: tuple[int, int]) -> str:
    height, width = size
    return f"{width}x{height}"


def main() -> None:
    """Prints the table, then what is wrong."""
    rows, faults = check_kohler(_DATA_DIR.value)
    print(f"{'image':<12}{'size':<12}{'truth':<6}{'frames':>6}")
    print(*rows, sep="\n")
    if faults:
        print(*faults, sep="\n")
        raise RunError(f"{_DATA_DIR.value}: {len(faults)} faults, named above. Source: {SOURCE}")
    print(f"all {len(rows)} images are there with their ground truth")


if __name__ == "__main__":
    run(main)
