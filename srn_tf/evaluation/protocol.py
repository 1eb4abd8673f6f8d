"""How a test set is found on the disk and scored; the sets themselves are rows of datasets.py."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from srn_tf.common.errors import InputError
from srn_tf.common.folders import files_below
from srn_tf.data import fingerprint, listed_pairs, normal_form
from srn_tf.evaluation.metrics import Scores, scores
from srn_tf.evaluation.registration import RegisteredScores, registered_scores
from srn_tf.media.images import image_size, is_image, read_rgb


class TestImage(NamedTuple):
    """One blurred image of a test set.

    Attributes:
      name: unique in the set, such as "SEQUENCE/000047"; the prediction is NAME.png.
      sequence: what it is averaged with; may be empty.
      blurred: path of the blurred image.
      truth: paths of what it is compared with: the sharp image, or Köhler's frames.
    """

    name: str
    sequence: str
    blurred: Path
    truth: tuple[Path, ...]


class Layout(NamedTuple):
    """How a test set lies on the disk: paths below its folder, without suffix.

    Attributes:
      blurred: a regular expression for the paths of the blurred images.
      sharp: where the sharp image may be, with the groups of `blurred`; the first that exists.
      name: of the image, with the groups of `blurred`.
    """

    blurred: str
    sharp: tuple[str, ...]
    name: str = "{group}/{image}"


@dataclasses.dataclass(frozen=True)
class TestSet:
    """What is known of a test set, wherever it lies.

    Attributes:
      title: its name in papers.
      about: what it is, in a few words.
      layouts: how it may lie on the disk.
      expected: number of images, of the whole set or of each group.
      places: what its folder holds, in words.
      source: where it is found.
      published: what is known of SRN's scores on it.
      list_file: a list "SHARP BLURRED" that, where it exists, says which images are meant.
      registered: whether images are registered before they are scored.
    """

    title: str
    about: str
    layouts: tuple[Layout, ...]
    expected: int | Mapping[str, int]
    places: str
    source: str
    published: str
    list_file: str = ""
    registered: bool = False

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the scores, in the order of `score`."""
        return RegisteredScores._fields if self.registered else Scores._fields

    def score(self, image: TestImage, candidates: Sequence[np.ndarray]) -> list[list[float]]:
        """The metrics of each candidate, uint8 `[H, W, 3]`, for `image`."""
        compare = registered_scores if self.registered else scores
        (sharp,) = map(read_rgb, image.truth)
        return [list(compare(candidate, sharp)) for candidate in candidates]

    def size_of(self, path: Path) -> tuple[int, int]:
        """Height and width of a file of this set, which is decoded whole."""
        height, width, _ = read_rgb(path).shape
        return height, width

    def survey(self, data_dir: str | os.PathLike) -> tuple[list[TestImage], list[str]]:
        """The images that are there, with their truth if that is, and the names of missing files.

        Raises:
          InputError: nothing of the set is there, or a list cannot be used.
        """
        folder = Path(data_dir)
        list_file = folder / self.list_file
        if self.list_file and folder.is_file():
            folder, list_file = folder.parent, folder
        files = {_key(path.relative_to(folder)): path for path in files_below(folder)}
        files = {key: path for key, path in files.items() if is_image(path)}
        wanted = files
        if list_file.is_file():
            wanted = [_key(blurred) for _, blurred in listed_pairs(list_file)]
        images, missing = [], []
        for key in wanted:
            matches = [(layout, re.fullmatch(layout.blurred, key)) for layout in self.layouts]
            if wanted is not files and not any(match for _, match in matches):
                raise InputError(f"{list_file} lists {key}, which is no image of {self.title}")
            for layout, match in matches:
                if not match:
                    continue
                groups = {"group": "", **match.groupdict(default="")}
                places = [place.format(**groups) for place in layout.sharp]
                truth = tuple(files[place] for place in places if place in files)[:1]
                if key in files:
                    name = layout.name.format(**groups)
                    images.append(TestImage(name, groups["group"], files[key], truth))
                lacking = [key] * (key not in files) + places[-1:] * (not truth)
                missing += [f"{file}.png" for file in lacking]
        if not images and not missing:
            raise InputError(
                f"{data_dir} holds nothing of {self.title}: pass the folder with {self.places}. "
                f"Source: {self.source}"
            )
        return images, missing


class TestData:
    """The images of a test set that lie in a folder.

    Args:
      test_set: what they are.
      data_dir: folder or list file.
      images: in any order.
      tag: says as the name of a folder what is scored.
      about: strings that say the same in result files.

    Attributes:
      images: sorted by sequence and name.
      sizes: height and width of each in pixels, by its name.
      fingerprints: by what each is known, wherever it lies.
      digest: a hash of these.

    Raises:
      InputError: two images have one name, or an image differs in size from its truth.
    """

    def __init__(
        self,
        test_set: TestSet,
        data_dir: str | os.PathLike,
        images: list[TestImage],
        tag: str,
        **about: str,
    ):
        self.test_set, self.tag = test_set, tag
        self.about = {"data_dir": str(Path(data_dir).resolve()), **about}
        self.images = images
        with ThreadPoolExecutor() as pool:
            sizes = list(pool.map(_size, images))
        self.sizes = dict(zip((image.name for image in images), sizes))
        if len(self.sizes) < len(images):
            raise InputError(f"{data_dir}: two images of {test_set.title} have the same name")
        self.fingerprints = [
            fingerprint(image.name, size, (image.blurred, *image.truth))
            for image, size in zip(images, sizes)
        ]
        self.digest = hashlib.sha256(json.dumps(self.fingerprints).encode()).hexdigest()[:16]


def _size(image: TestImage) -> tuple[int, int]:
    size = image_size(image.blurred)
    for path in filter(is_image, image.truth):
        if image_size(path) != size:
            raise InputError(f"{path} differs in size from {image.blurred}")
    return size


def _key(path: Path) -> str:
    return normal_form(path.with_suffix("").as_posix())
