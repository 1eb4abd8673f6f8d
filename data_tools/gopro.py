"""Verifies a download of GOPRO_Large (Nah et al., CVPR 2017).

    python -m data_tools.gopro --data_dir=.../GOPRO_Large

Expected layout: `{train,test}/GOPRxxxx_yy_zz/{blur,blur_gamma,sharp}/NNNNNN.png`, where `yy` is the
number of averaged frames; 2103 training and 1111 test pairs of 1280x720 pixels. Every file is
decoded whole, so the check takes a few minutes.
"""

from __future__ import annotations

import collections
import dataclasses
import os
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path

from absl import flags

from data_tools.rendering import SUBSETS
from srn_tf.common.cli import run
from srn_tf.common.errors import InputError, RunError
from srn_tf.common.files import reading
from srn_tf.common.flags import define
from srn_tf.common.progress import progress
from srn_tf.media.images import read_rgb

HOMEPAGE = "https://seungjunnah.github.io/Datasets/gopro"
SIZE = (720, 1280)
# Pairs of every sequence.
SEQUENCES = {
    "train": {
        "GOPR0372_07_00": 100,
        "GOPR0372_07_01": 75,
        "GOPR0374_11_00": 150,
        "GOPR0374_11_01": 80,
        "GOPR0374_11_02": 100,
        "GOPR0374_11_03": 48,
        "GOPR0378_13_00": 110,
        "GOPR0379_11_00": 100,
        "GOPR0380_11_00": 60,
        "GOPR0384_11_01": 100,
        "GOPR0384_11_02": 100,
        "GOPR0384_11_03": 100,
        "GOPR0384_11_04": 100,
        "GOPR0385_11_00": 100,
        "GOPR0386_11_00": 100,
        "GOPR0477_11_00": 80,
        "GOPR0857_11_00": 100,
        "GOPR0868_11_01": 100,
        "GOPR0868_11_02": 100,
        "GOPR0871_11_01": 100,
        "GOPR0881_11_00": 100,
        "GOPR0884_11_00": 100,
    },
    "test": {
        "GOPR0384_11_00": 100,
        "GOPR0384_11_05": 100,
        "GOPR0385_11_01": 100,
        "GOPR0396_11_00": 100,
        "GOPR0410_11_00": 134,
        "GOPR0854_11_00": 100,
        "GOPR0862_11_00": 77,
        "GOPR0868_11_00": 100,
        "GOPR0869_11_00": 100,
        "GOPR0871_11_00": 100,
        "GOPR0881_11_01": 100,
    },
}


@dataclasses.dataclass(frozen=True)
class Verification:
    """What was found in a folder.

    Attributes:
      counts: for every sequence, as `train/GOPR0372_07_00`, its files in blur, blur_gamma, sharp.
      size: height and width of the images, in pixels; None when there is none that can be read.
      problems: one line for every difference, naming the sequence or the file.
    """

    counts: dict[str, tuple[int, ...]]
    size: tuple[int, int] | None
    problems: list[str]


def verify(data_dir: str | Path) -> Verification:
    """Compares `data_dir` with GOPRO_Large: sequences, counts, names, sizes; decodes every file.

    Raises:
      InputError: `data_dir` has neither a folder `train` nor a folder `test`, or holds a folder
        that cannot be read.
    """
    data_dir = Path(data_dir)
    with reading(data_dir):
        return _verified(data_dir)


def _verified(data_dir: Path) -> Verification:
    if not any((data_dir / split).is_dir() for split in SEQUENCES):
        raise InputError(
            f"{data_dir} has no folder train or test: pass the unpacked folder of GOPRO_Large, "
            f"which is found at {HOMEPAGE}"
        )
    expected = {
        f"{split}/{name}": pairs
        for split, sequences in SEQUENCES.items()
        for name, pairs in sequences.items()
    }
    found = {
        f"{split}/{folder.name}"
        for split in SEQUENCES
        if (data_dir / split).is_dir()
        for folder in (data_dir / split).iterdir()
        if folder.is_dir() and not folder.name.startswith(".")
    }
    problems = [f"{sequence} is no part of GOPRO_Large" for sequence in sorted(found - {*expected})]
    counts, paths = {}, []
    for sequence, pairs in expected.items():
        files = {subset: _names(data_dir / sequence / subset) for subset in SUBSETS}
        counts[sequence] = tuple(len(names) for names in files.values())
        problems += _differences(sequence, pairs, files)
        paths += [f"{sequence}/{subset}/{name}" for subset in SUBSETS for name in files[subset]]
    size, unreadable = _decode(data_dir, sorted(paths))
    return Verification(counts, size, problems + unreadable)


def _names(folder: Path) -> set[str]:
    if not folder.is_dir():
        return set()
    return {path.name for path in folder.iterdir() if fnmatch(path.name, "[!.]*.png")}


def _differences(sequence: str, pairs: int, files: dict[str, set[str]]) -> list[str]:
    if not any(files.values()):
        return [f"{sequence} is missing"]
    problems = [f"{sequence}/{subset} is missing" for subset in SUBSETS if not files[subset]]
    names = set().union(*files.values())
    for subset in SUBSETS:
        if files[subset]:
            missing = sorted(names - files[subset])
            problems += [f"{sequence}/{subset}/{name} is missing" for name in missing]
    if len(names) != pairs:
        problems.append(f"{sequence} holds {len(names)} pairs instead of {pairs}")
    return problems


def _decode(data_dir: Path, paths: list[str]) -> tuple[tuple[int, int] | None, list[str]]:
    """The most frequent size, and one line for each file that is unreadable or of another size."""

    def size_or_error(path: str) -> tuple[int, int] | InputError:
        try:
            return read_rgb(data_dir / path).shape[:2]
        except InputError as error:
            return error

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(progress(pool.map(size_or_error, paths), "decoding", len(paths)))
    sizes = collections.Counter(result for result in results if isinstance(result, tuple))
    common = sizes.most_common(1)[0][0] if sizes else None
    problems = []
    for path, result in zip(paths, results):
        if isinstance(result, InputError):
            problems.append(str(result))
        elif result != common:
            problems.append(f"{path} is {_as_text(result)}, the other images {_as_text(common)}")
    return common, problems


def _as_text(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"


def table(found: Verification) -> str:
    """One line for each sequence, and the sums of both splits."""
    lines = [f"{'sequence':<22}{'expected':>9}" + "".join(f"{name:>11}" for name in SUBSETS)]
    for split, sequences in SEQUENCES.items():
        rows = {f"{split}/{name}": (pairs,) for name, pairs in sequences.items()}
        rows = {name: row + found.counts[name] for name, row in rows.items()}
        rows[f"{split}, all"] = tuple(sum(column) for column in zip(*rows.values()))
        for name, (pairs, *counts) in rows.items():
            mark = "" if all(count == pairs for count in counts) else "  differs"
            lines.append(f"{name:<22}{pairs:>9}" + "".join(f"{n:>11}" for n in counts) + mark)
    return "\n".join(lines)


def main() -> None:
    """Prints the table and every difference; any difference makes the exit status 1."""
    found = verify(flags.FLAGS.data_dir)
    print(table(found))
    if found.size and found.size != SIZE:
        print(f"warning: images are {_as_text(found.size)}, those of GOPRO_Large {_as_text(SIZE)}")
    for problem in found.problems:
        print(problem)
    if found.problems:
        raise RunError(
            f"{flags.FLAGS.data_dir} differs from GOPRO_Large in {len(found.problems)} places, "
            f"listed above; the original is found at {HOMEPAGE}"
        )
    print(f"complete: every image is readable and {_as_text(found.size)}")


if __name__ == "__main__":
    define("data_dir", Path, None, "Unpacked folder of GOPRO_Large.", group="Input", required=True)
    run(main)
