"""Finds the predictions for a test set in a folder that anybody filled."""

from __future__ import annotations

import collections
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from srn_tf.common.errors import InputError, named
from srn_tf.common.folders import files_below
from srn_tf.data import normal_form
from srn_tf.evaluation.protocol import TestData
from srn_tf.media.images import image_size


def find_predictions(folder: str | os.PathLike, data: TestData) -> dict[str, Path]:
    """The deblurred images in a folder, by the name of the blurred one.

    That of SEQUENCE/NAME is called SEQUENCE/NAME.png, SEQUENCE_NAME.png or SEQUENCE/blur/NAME.png,
    or NAME.png where no two images of the test set are called so. Other files do not matter.

    Raises:
      InputError: a prediction is missing, there twice or of another size than its blurred image,
        or a folder is unreadable. The message names it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder of predictions")
    layout_folder = data.about.get("blur_subset", "blur")
    found = collections.defaultdict(list)
    for path in files_below(folder):
        if path.suffix == ".png":
            *above, name = path.relative_to(folder).with_suffix("").parts
            without = [part for part in above if part != layout_folder]
            for key in {"_".join([*parts, name]) for parts in (above, without)}:
                found[normal_form(key)].append(path)
    stems = collections.Counter(Path(image.name).name for image in data.images)
    predictions, missing = {}, []
    for image in data.images:
        keys = {image.name.replace("/", "_")}
        keys |= {stem for stem in [Path(image.name).name] if stems[stem] == 1}
        there = [path for key in keys for path in found[key]]
        if len(there) > 1:
            names = " and ".join(sorted(path.relative_to(folder).as_posix() for path in there))
            raise InputError(f"{folder} has two predictions of {image.name}: {names}")
        predictions.update((image.name, path) for path in there)
        missing += [image.name] * (not there)
    if missing:
        example = missing[0]
        raise InputError(
            f"{folder} has no prediction of {named(missing)}: predictions are called like "
            f"{example}.png" + f" or {example.replace('/', '_')}.png" * ("/" in example)
        )
    with ThreadPoolExecutor() as pool:
        for path, image, size in zip(
            predictions.values(), data.images, pool.map(image_size, predictions.values())
        ):
            height, width = data.sizes[image.name]
            if size != (height, width):
                raise InputError(
                    f"{path} is {size[1]}x{size[0]} pixels, {image.blurred} is {width}x{height}"
                )
    return predictions
