"""Anybody's predictions are found by name, and whatever does not fit is named."""

import os

import pytest
from scored_images import HEIGHT, NAMES, WIDTH, pixels

from srn_tf.common.errors import InputError
from srn_tf.evaluation.datasets import open_test_set
from srn_tf.evaluation.predictions import find_predictions
from srn_tf.evaluation.scoring import evaluate_predictions
from srn_tf.media.images import write_image


@pytest.mark.parametrize("layout", ["{0}/{1}.png", "{0}/blur/{1}.png", "{0}_{1}.png"])
def test_predictions_are_found_in_three_layouts(data, tmp_path, layout):
    folder = tmp_path / "mine"
    paths = {name: folder / layout.format(*name.split("/")) for name in NAMES}
    for name, path in paths.items():
        write_image(path, pixels(name, "sharp"))
    assert find_predictions(folder, data) == paths


def test_flat_and_flattened_pairs_are_found_too(tmp_path):
    for folder in ("input", "target"):
        write_image(tmp_path / f"flat/test/{folder}/photo.png", pixels("photo", folder))
    write_image(tmp_path / "mine/photo.png", pixels("photo", "input"))
    found = find_predictions(tmp_path / "mine", open_test_set("gopro", tmp_path / "flat"))
    assert list(found) == ["photo"]
    for folder in ("blur", "sharp"):
        path = tmp_path / f"flattened/test/{folder}/GOPR0001_07_00_000001.png"
        write_image(path, pixels("a", folder))
    write_image(tmp_path / "predictions/GOPR0001_07_00/000001.png", pixels("a", "blur"))
    found = find_predictions(
        tmp_path / "predictions", open_test_set("gopro", tmp_path / "flattened")
    )
    assert list(found) == ["GOPR0001_07_00_000001"]


def remove(folder):
    (folder / f"{NAMES[1]}.png").unlink()


def add(name):
    return lambda folder: write_image(folder / name, pixels(NAMES[0], "sharp"))


def crop(folder):
    write_image(folder / f"{NAMES[2]}.png", pixels(NAMES[2], "sharp")[:-1])


def pipe(folder):
    remove(folder)
    os.mkfifo(folder / f"{NAMES[1]}.png")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (remove, f"no prediction of {NAMES[1]}:"),
        (add("GOPR0002_11_00_000001.png"), f"two predictions of {NAMES[2]}: .*GOPR0002_11_00_0000"),
        (crop, f"{NAMES[2]}.png is {WIDTH}x{HEIGHT - 1} pixels, .* is {WIDTH}x{HEIGHT}"),
        (pipe, f"{NAMES[1]}.png is a pipe"),
    ],
)
def test_what_does_not_fit_fails_by_name(data, predictions, change, message):
    change(predictions)
    with pytest.raises(InputError, match=message):
        find_predictions(predictions, data)


def test_other_files_do_not_matter(data, predictions):
    for name in ("GOPR0001_07_00/1.png", "a.jpg", "GOPR0001_07_00-000001.png", "sharp/000001.png"):
        add(name)(predictions)
    assert find_predictions(predictions, data) == {n: predictions / f"{n}.png" for n in NAMES}


def test_an_unreadable_prediction_fails_by_name(data, predictions, tmp_path):
    path = predictions / f"{NAMES[2]}.png"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match=f"{NAMES[2]}.png is "):
        evaluate_predictions(predictions, data, tmp_path / "out")
    assert not (tmp_path / "out/results.csv").exists()
