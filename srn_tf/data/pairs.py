"""Which files are the blurred and the sharp image of a pair: by name, never by position.

Layouts, all found by themselves (`SPLIT` is train or test; any format that
`srn_tf.media.images` reads):

    DATA/SPLIT/SEQUENCE/{blur,blur_gamma,sharp}/000047.png    GOPRO_Large
    DATA/SPLIT/{blur,blur_gamma,sharp}/SEQUENCE_000047.png    flattened
    DATA/SPLIT/{input,target}/NAME.png
    the same without the folder SPLIT: these pairs then serve for every split
    LIST.txt with a line "SHARP BLURRED" for each pair        the authors' datalist_gopro.txt

The paths of a list are relative to its folder, or to `train/` or `training_set/` beside it, or to
`train/` beside its folder. Names that start with a dot, and files that are no images, are ignored.
Names that differ only in Unicode's normal form are the same: macOS writes an accented letter as
two code points, most others as one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from srn_tf.common.errors import InputError
from srn_tf.common.files import read_text, reading
from srn_tf.media.images import image_size, is_image


@dataclasses.dataclass(frozen=True)
class Pair:
    """A blurred image and its sharp partner.

    Attributes:
      name: unique in its set: "SEQUENCE/000047", or the file's stem in flat layouts.
      sequence: the video the pair is from; empty when the name does not tell.
      blurred: path of the blurred image.
      sharp: path of the sharp image.
      size: height and width of both in pixels.
    """

    name: str
    sequence: str
    blurred: Path
    sharp: Path
    size: tuple[int, int]


# A pair before its files are looked into: name, sequence, blurred, sharp.
Files = tuple[str, str, Path, Path]


def find_pairs(data_dir: str | os.PathLike, split: str, blur_subset: str = "blur") -> list[Pair]:
    """Finds all pairs of a split, sorted by name.

    Args:
      data_dir: a folder in one of the layouts above, or a list file; a list is one split by
        itself, `split` does not matter then.
      split: "train" or "test".
      blur_subset: "blur" (plain mean of frames) or "blur_gamma", where there are such folders.

    Raises:
      InputError: nothing is there, an image has no partner, the two of a pair differ in size, a
        name occurs twice, a file is no image, or something cannot be read. The message names it.
    """
    data_dir = Path(data_dir)
    with reading(data_dir):
        if data_dir.is_file():
            files = _listed(data_dir, blur_subset)
        else:
            files = _in_folders(_split_folder(data_dir, split), blur_subset)
        files = sorted(files)
    if not files:
        raise InputError(f"{data_dir} holds no image pairs for split {split!r}")
    for (name, _, one, _), (other_name, _, other, _) in zip(files, files[1:]):
        if name == other_name:
            raise InputError(f"{one} and {other} are both called {name!r}")
    with ThreadPoolExecutor() as pool:
        return list(pool.map(_sized, files))


def hold_out(pairs: Sequence[Pair], wanted: str) -> tuple[list[Pair], list[Pair]]:
    """Splits pairs by whole sequences into those to train on and those held out.

    Args:
      pairs: of any number of sequences.
      wanted: how many sequences to hold out, which are then evenly spaced among their names, or
        the names themselves, joined by commas.

    Raises:
      InputError: no such sequence, or none would be left.
    """
    sequences = sorted({pair.sequence for pair in pairs})
    if wanted.isdecimal():
        count = int(wanted)
        if not 1 <= count < len(sequences):
            raise InputError(
                f"{count} of {len(sequences)} sequences cannot be held out: give 1 to "
                f"{len(sequences) - 1}"
            )
        chosen = {sequences[(2 * i + 1) * len(sequences) // (2 * count)] for i in range(count)}
    else:
        chosen = set(normal_form(wanted).split(","))
        unknown = sorted(chosen - set(sequences))
        if unknown or len(chosen) == len(sequences):
            raise InputError(
                f"cannot hold out {unknown[0] if unknown else 'all sequences'}; "
                f"known are: {', '.join(sequences)}"
            )
    kept = [pair for pair in pairs if pair.sequence not in chosen]
    return kept, [pair for pair in pairs if pair.sequence in chosen]


def normal_form(name: str) -> str:
    """A name in the form in which names are compared: NFC, an accented letter in one code point."""
    return unicodedata.normalize("NFC", name)


def fingerprint(name: str, size: tuple[int, int], files: Iterable[Path]) -> list:
    """By what a pair is known, wherever it lies: name, size in pixels, sizes of the files."""
    return [name, *size, *(path.stat().st_size for path in files)]


def digests(pairs: Sequence[Pair]) -> dict[str, str]:
    """What a set of pairs is, wherever it lies: "100 pairs, 3f2a..." for each sequence by name.

    The digest is of their fingerprints; it knows no path or time.
    """
    parts: dict[str, list] = {}
    for pair in pairs:
        row = fingerprint(pair.name, pair.size, (pair.blurred, pair.sharp))
        parts.setdefault(pair.sequence, []).append(row)
    found = {}
    for sequence, rows in sorted(parts.items()):
        digest = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
        found[sequence] = f"{len(rows)} pair{'s' * (len(rows) > 1)}, {digest[:16]}"
    return found


def _sized(files: Files) -> Pair:
    _, _, blurred, sharp = files
    size, other = image_size(blurred), image_size(sharp)
    if size != other:
        raise InputError(
            f"{blurred} is {size[1]}x{size[0]} pixels, "
            f"but its partner {sharp} is {other[1]}x{other[0]}"
        )
    return Pair(*files, size)


def _split_folder(data_dir: Path, split: str) -> Path:
    if not data_dir.is_dir():
        raise InputError(f"data folder {data_dir} does not exist, or is no folder")
    if (data_dir / split).is_dir():
        return data_dir / split
    if any((data_dir / other).is_dir() for other in ("train", "test")):
        raise InputError(f"{data_dir} has no folder {split!r}")
    return data_dir


def _in_folders(root: Path, blur_subset: str) -> Iterator[Files]:
    folders = _pair_folders(root, blur_subset)
    if folders:
        for stem, blurred, sharp in _partners(*folders):
            yield stem, _sequence_of(stem), blurred, sharp
        return
    for sequence in _visible(root):
        if not sequence.is_dir():
            continue
        folders = _pair_folders(sequence, blur_subset)
        if not folders:
            raise InputError(
                f"{sequence} holds neither {blur_subset}/ and sharp/ nor input/, target/"
            )
        name = normal_form(sequence.name)
        for stem, blurred, sharp in _partners(*folders):
            yield f"{name}/{stem}", name, blurred, sharp


def _pair_folders(folder: Path, blur_subset: str) -> tuple[Path, Path] | None:
    """The folders of blurred and of sharp images in `folder`; None when it has nothing alike."""
    for blurred, sharp in ((blur_subset, "sharp"), ("input", "target")):
        there = [name for name in (blurred, sharp) if (folder / name).is_dir()]
        if len(there) == 2:
            return folder / blurred, folder / sharp
        if there:
            missing = sharp if there == [blurred] else blurred
            raise InputError(f"{folder} has a folder {there[0]!r}, but no {missing!r}")
    return None


def _partners(blurred_folder: Path, sharp_folder: Path) -> Iterator[tuple[str, Path, Path]]:
    blurred, sharp = _images(blurred_folder), _images(sharp_folder)
    for stem in sorted(blurred.keys() | sharp.keys()):
        if stem not in sharp:
            raise InputError(f"{blurred[stem]} has no sharp partner in {sharp_folder}")
        if stem not in blurred:
            raise InputError(f"{sharp[stem]} has no blurred partner in {blurred_folder}")
        yield stem, blurred[stem], sharp[stem]


def _images(folder: Path) -> dict[str, Path]:
    images: dict[str, Path] = {}
    for path in filter(is_image, _visible(folder)):
        stem = normal_form(path.stem)
        if stem in images:
            raise InputError(f"{images[stem]} and {path} have the same name: keep one")
        images[stem] = path
    return images


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _sequence_of(stem: str) -> str:
    """The part before the frame number: "GOPR0372_07_00_000047" -> "GOPR0372_07_00"."""
    match = re.fullmatch(r"(.+)[_-]\d+", stem)
    return match[1] if match else ""


def _listed(list_file: Path, blur_subset: str) -> Iterator[Files]:
    entries = list(listed_pairs(list_file))
    if not entries:
        return
    folder = list_file.absolute().parent
    roots = (folder, folder / "train", folder / "training_set", folder.parent / "train")
    root = next((root for root in roots if _on_disk(root, entries[0][0]).is_file()), None)
    if root is None:
        places = ", ".join(map(str, roots))
        raise InputError(f"{list_file}: {entries[0][0]} is in none of the folders {places}")
    # Of absolute paths the folders above all images are those of this machine or this job.
    skipped = 0
    if all(path.is_absolute() for entry in entries for path in entry):
        above = (
            Path(*blurred.parts[: _shared_folders(sharp, blurred)]) for sharp, blurred in entries
        )
        skipped = len(Path(os.path.commonpath(above)).parts) - 1
    for sharp, blurred in entries:
        shared = _shared_folders(sharp, blurred)
        subsets = {"blur", "blur_gamma"} & _layout_folders(sharp, blurred)
        for other in subsets if blur_subset not in subsets else ():
            raise InputError(
                f"{list_file} lists {blurred}, which is not {blur_subset!r}: "
                f"pass --blur_subset={other}"
            )
        # Names serve for files that are written: they never lead out of a folder.
        folders = blurred.parts[skipped:shared]
        folders = [part for part in folders if part not in (blurred.anchor, "..")]
        own = blurred.parent.parts[shared:]
        folders += [part for part in own if part not in ("..", "blur", "blur_gamma", "input")]
        sequence = normal_form("/".join(folders))
        name = normal_form("/".join([*folders, blurred.stem]))
        files = _on_disk(root, blurred), _on_disk(root, sharp)
        yield name, sequence or _sequence_of(name), *files


def _on_disk(folder: Path, path: Path) -> Path:
    """`folder / path`, each part in the normal form in which it is there."""
    place = folder
    for part in path.parts:
        spellings = (part, *(unicodedata.normalize(form, part) for form in ("NFC", "NFD")))
        there = (place / spelling for spelling in spellings if (place / spelling).exists())
        place = next(there, place / part)
    return place


def listed_pairs(list_file: Path) -> Iterator[tuple[Path, Path]]:
    """The sharp and the blurred path of each line of a list.

    Raises:
      InputError: it is no text, or a line does not hold two paths, the sharp one first.
    """
    try:
        lines = read_text(list_file).splitlines()
    except InputError as error:
        raise InputError(f"{list_file} is neither a folder nor a list of pairs: {error}") from None
    for number, line in enumerate(lines, start=1):
        words = line.split("\t") if "\t" in line.strip() else line.split()
        paths = [Path(word.strip()) for word in words if word.strip()]
        if not paths:
            continue
        if len(paths) != 2:
            raise InputError(f"{list_file}, line {number}: expected two paths, sharp and blurred")
        sharp, blurred = paths
        if {"sharp", "target"} & _layout_folders(sharp, blurred):
            raise InputError(f"{list_file}, line {number}: the sharp image must come first")
        yield sharp, blurred


def _layout_folders(sharp: Path, blurred: Path) -> set[str]:
    """The last two folders of the blurred image, as far as they are not those of the sharp one."""
    folders = blurred.parent.parts
    return set(folders[max(_shared_folders(sharp, blurred), len(folders) - 2) :])


def _shared_folders(sharp: Path, blurred: Path) -> int:
    """How many folders both paths begin with: what these are called says nothing of the layout."""
    pairs = zip(sharp.parent.parts, blurred.parent.parts)
    return len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)))
