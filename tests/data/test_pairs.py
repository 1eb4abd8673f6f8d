"""Pairs are found by name in every layout; whatever does not fit is refused by its file's name."""

import dataclasses
import os
import unicodedata

import cv2
import numpy as np
import pytest
from pair_folders import unreadable

from srn_tf.common.errors import InputError
from srn_tf.data import find_pairs, hold_out
from srn_tf.media.images import write_image


def _write(path, size=(6, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.zeros((*size, 3), np.uint8))
    return path


def _write_tree(root, subset="blur", sequences=("GOPR0372_07_00", "GOPR0384_11_00")):
    for sequence in sequences:
        for stem in ("000047", "000054"):
            for folder in (subset, "sharp"):
                _write(root / sequence / folder / f"{stem}.png")


def _summary(pairs, root):
    return [
        (pair.name, *(os.path.relpath(p, root) for p in (pair.blurred, pair.sharp)))
        for pair in pairs
    ]


def test_gopro_tree(tmp_path):
    _write_tree(tmp_path / "train")
    _write_tree(tmp_path / "test", sequences=("GOPR0410_11_00",))
    (tmp_path / "train/GOPR0372_07_00/blur/Thumbs.db").write_text("no image")
    (tmp_path / "train/.srn_cache").mkdir()
    pairs = find_pairs(tmp_path, "train")
    assert _summary(pairs, tmp_path / "train") == [
        (f"{s}/{i}", f"{s}/blur/{i}.png", f"{s}/sharp/{i}.png")
        for s in ("GOPR0372_07_00", "GOPR0384_11_00")
        for i in ("000047", "000054")
    ]
    assert [pair.sequence for pair in pairs] == ["GOPR0372_07_00"] * 2 + ["GOPR0384_11_00"] * 2
    assert all(pair.size == (6, 8) for pair in pairs)
    assert [pair.sequence for pair in find_pairs(tmp_path, "test")] == ["GOPR0410_11_00"] * 2


def test_blur_subset_chooses_the_folder(tmp_path):
    _write_tree(tmp_path / "train", "blur")
    _write_tree(tmp_path / "train", "blur_gamma")
    for subset in ("blur", "blur_gamma"):
        pairs = find_pairs(tmp_path, "train", subset)
        assert {pair.blurred.parent.name for pair in pairs} == {subset}


@pytest.mark.parametrize(
    ("blurred", "sharp", "stem"),
    [("blur", "sharp", "GOPR0372_07_00_000047"), ("input", "target", "GOPR0372_07_00-000047")],
)
@pytest.mark.parametrize("split_folder", ["train", ""])
def test_flat_folders(tmp_path, blurred, sharp, stem, split_folder):
    root = tmp_path / split_folder
    for name in ("other", stem):
        _write(root / blurred / f"{name}.png")
        _write(root / sharp / f"{name}.png")
    pairs = find_pairs(tmp_path, "train")
    assert _summary(pairs, root) == [
        (name, f"{blurred}/{name}.png", f"{sharp}/{name}.png") for name in (stem, "other")
    ]
    assert [pair.sequence for pair in pairs] == ["GOPR0372_07_00", ""]


def test_partners_may_have_different_formats(tmp_path):
    _write(tmp_path / "blur/a.jpg")
    _write(tmp_path / "sharp/a.png")
    assert _summary(find_pairs(tmp_path, "train"), tmp_path) == [("a", "blur/a.jpg", "sharp/a.png")]


DECOMPOSED, COMPOSED = (unicodedata.normalize(form, "caf\u00e9") for form in ("NFD", "NFC"))


@pytest.mark.parametrize(("blurred", "sharp"), [(DECOMPOSED, COMPOSED), (COMPOSED, DECOMPOSED)])
def test_names_may_differ_in_their_normal_form(tmp_path, blurred, sharp):
    folder = tmp_path / "train" / sharp
    _write(folder / f"blur/{blurred}.png")
    _write(folder / f"sharp/{sharp}.png")
    (pair,) = find_pairs(tmp_path, "train")
    assert (pair.name, pair.sequence) == (f"{COMPOSED}/{COMPOSED}", COMPOSED)
    assert hold_out([pair, dataclasses.replace(pair, sequence="b")], sharp)[1] == [pair]
    (tmp_path / "list.txt").write_text(
        f"train/{blurred}/sharp/{blurred}.png train/{blurred}/blur/{sharp}.png"
    )
    (listed,) = find_pairs(tmp_path / "list.txt", "train")
    assert (listed.blurred, listed.sharp) == (pair.blurred, pair.sharp)
    _write(folder / f"blur/{sharp}.png")
    with pytest.raises(InputError, match="have the same name"):
        find_pairs(tmp_path, "train")


@pytest.mark.parametrize(
    ("images", "list_file"),
    [
        (".", "list.txt"),
        ("train", "list.txt"),
        ("training_set", "datalist_gopro.txt"),
        ("train", "lists/list.txt"),
    ],
)
def test_list_file_names_the_sharp_image_first(tmp_path, images, list_file):
    _write_tree(tmp_path / images, sequences=("GOPR0372_07_00",))
    path = tmp_path / list_file
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        "GOPR0372_07_00/sharp/000054.png   GOPR0372_07_00/blur/000054.png \n\n"
        " GOPR0372_07_00/sharp/000047.png GOPR0372_07_00/blur/000047.png\n"
    )
    pairs = find_pairs(path, "train")
    assert _summary(pairs, tmp_path / images) == [
        (f"GOPR0372_07_00/{i}", f"GOPR0372_07_00/blur/{i}.png", f"GOPR0372_07_00/sharp/{i}.png")
        for i in ("000047", "000054")
    ]
    assert {pair.sequence for pair in pairs} == {"GOPR0372_07_00"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("S/sharp/1.png\n", "line 1: expected two paths"),
        ("S/sharp/000047.png S/blur/000047.png\nS/blur/000054.png S/sharp/000054.png", "line 2"),
        ("S/sharp/9.png S/blur/9.png", r"S/sharp/9\.png is in none of the folders"),
        ("S/sharp/000047.png S/blur/9.png", r"S/blur/9\.png does not exist"),
        ("S/sharp/000047.png S/blur/000047.png\n" * 2, "both called 'S/000047'"),
        ("\n", "no image pairs"),
    ],
)
def test_bad_list_is_refused(tmp_path, text, message):
    _write_tree(tmp_path, sequences=("S",))
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        find_pairs(tmp_path / "list.txt", "train")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (os.remove, r"GOPR0384_11_00/blur/000054\.png has no sharp partner"),
        (lambda image: image.rename(image.with_name("x.png")), r"blur/000054\.png has no sharp"),
        (lambda image: os.remove(str(image).replace("sharp", "blur")), r"\.png has no blurred"),
        (lambda image: _write(image, size=(8, 8)), r"blur/000054\.png is 8x6 .*sharp/.* is 8x8"),
        (lambda image: _write(image.with_suffix(".jpg")), r"54\.jpg and .*png have the same name"),
        (lambda image: image.write_text("a"), r"sharp/000054\.png is not a readable image"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, spoil, message):
    _write_tree(tmp_path / "train")
    spoil(tmp_path / "train/GOPR0384_11_00/sharp/000054.png")
    with pytest.raises(InputError, match=message):
        find_pairs(tmp_path, "train")


def test_what_is_no_data_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere does not exist"):
        find_pairs(tmp_path / "nowhere", "train")
    with pytest.raises(InputError, match=f"{tmp_path} holds no image pairs"):
        find_pairs(tmp_path, "train")
    _write_tree(tmp_path / "train")
    with pytest.raises(InputError, match="has no folder 'test'"):
        find_pairs(tmp_path, "test")
    with pytest.raises(InputError, match=r"GOPR0372_07_00 .*no 'blur_gamma'"):
        find_pairs(tmp_path, "train", "blur_gamma")
    (tmp_path / "train/notes").mkdir()
    with pytest.raises(InputError, match="notes holds neither"):
        find_pairs(tmp_path, "train")
    image = _write(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png is neither a folder nor a list"):
        find_pairs(image, "train")


def test_a_list_of_the_other_blur_subset_is_refused(tmp_path):
    _write_tree(tmp_path, sequences=("GOPR0372_07_00",))
    path = tmp_path / "list.txt"
    path.write_text("GOPR0372_07_00/sharp/000054.png GOPR0372_07_00/blur_gamma/000054.png")
    with pytest.raises(InputError, match=r"list\.txt lists .* pass --blur_subset=blur_gamma"):
        find_pairs(path, "train")
    _write_tree(tmp_path, subset="blur_gamma", sequences=("GOPR0372_07_00",))
    assert len(find_pairs(path, "train", "blur_gamma")) == 1


@pytest.mark.parametrize(
    ("sharp", "blurred", "subset"),
    [
        ("a/gt/seq", "sharp/data/blur", "blur"),
        ("a/gt/seq", "blur_gamma/data/blur", "blur"),
        ("disk/seq/sharp", "blur/seq/blur_gamma", "blur_gamma"),
    ],
)
def test_only_the_last_folders_speak_of_layout(tmp_path, sharp, blurred, subset):
    for folder in (sharp, blurred):
        write_image(tmp_path / folder / "1.png", np.zeros((16, 16, 3), np.uint8))
    (tmp_path / "list.txt").write_text(f"{tmp_path}/{sharp}/1.png {tmp_path}/{blurred}/1.png\n")
    (pair,) = find_pairs(tmp_path / "list.txt", "test", subset)
    assert pair.blurred == tmp_path / blurred / "1.png"


def test_names_in_a_list_of_absolute_paths_do_not_depend_on_the_place(tmp_path):
    found = []
    for job in ("job1", "job2/scratch"):
        root = tmp_path / job / "train"
        _write_tree(root)
        blurred = sorted(path for path in root.glob("*/blur/*.png"))
        lines = [f"{str(path).replace('/blur/', '/sharp/')} {path}\n" for path in blurred]
        (tmp_path / "list.txt").write_text("".join(lines))
        found.append(find_pairs(tmp_path / "list.txt", "train"))
    names, others = ([(pair.name, pair.sequence) for pair in pairs] for pairs in found)
    assert names == others
    assert len({sequence for _, sequence in names}) > 1


def test_lists_with_a_mark_tabs_and_folders_called_like_layouts(tmp_path):
    place = tmp_path / "sharp" / "blur" / "own"
    for folder in ("blur", "sharp"):
        write_image(place / "a b" / folder / "1.png", np.zeros((16, 16, 3), np.uint8))
    lines = f"{place}/a b/sharp/1.png\t{place}/a b/blur/1.png\r\n\r\n"
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbf" + lines.encode())
    (pair,) = find_pairs(tmp_path / "list.txt", "train")
    assert pair.blurred == place / "a b" / "blur" / "1.png"
    assert pair.name == "a b/1"
    (tmp_path / "list.txt").write_text(f"{place}/blur/1.png\t{place}/sharp/1.png\n")
    with pytest.raises(InputError, match="the sharp image must come first"):
        find_pairs(tmp_path / "list.txt", "train")


def test_pipes_and_folders_that_cannot_be_read_are_named(tmp_path):
    _write_tree(tmp_path / "train")
    pipe = tmp_path / "train/GOPR0372_07_00/blur/000047.png"
    pipe.unlink()
    os.mkfifo(pipe)
    with pytest.raises(InputError, match=r"blur/000047\.png is a pipe"):
        find_pairs(tmp_path, "train")
    os.mkfifo(tmp_path / "data")
    with pytest.raises(InputError, match="data does not exist, or is no folder"):
        find_pairs(tmp_path / "data", "train")
    (tmp_path / "secret").symlink_to("secret")
    with pytest.raises(InputError, match="secret"):
        find_pairs(tmp_path / "secret", "train")
    pipe.unlink()
    _write(pipe)
    with unreadable("sharp"), pytest.raises(InputError, match="sharp cannot be read"):
        find_pairs(tmp_path, "train")
    (tmp_path / "list.txt").symlink_to("/proc/self/mem")  # opens, and cannot be read
    with pytest.raises(InputError, match=r"list\.txt cannot be read"):
        find_pairs(tmp_path / "list.txt", "train")
