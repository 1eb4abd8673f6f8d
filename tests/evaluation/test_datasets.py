"""The test sets: their layouts are found, missing and damaged files named, images scored."""

import os
import unicodedata

import cv2
import numpy as np
import pytest

from srn_tf.common.errors import InputError, RunError
from srn_tf.evaluation import checking, datasets
from srn_tf.evaluation.datasets import TEST_SETS, open_test_set
from srn_tf.evaluation.metrics import scores
from srn_tf.evaluation.predictions import find_predictions
from srn_tf.evaluation.registration import registered_scores
from srn_tf.media.images import read_rgb, write_image

FOLDERS = {
    "J": "RealBlur-J_ECC_IMCORR_centroid_itensity_ref",
    "R": "RealBlur-R_BM3D_ECC_IMCORR_centroid_itensity_ref",
}


def write(root, *names):
    for name in names:
        image = np.random.default_rng([*name.encode()]).integers(0, 256, (24, 32, 3), np.uint8)
        write_image(root / name, image)


def hide_as_published(root):
    write(root, "test/test-close-ups/1.png", "test/test-long-shot/2.png", "GT/1.png", "GT/2.png")
    return ["test-close-ups/1", "test-long-shot/2"], "GT/2.png"


def hide_repackaged(root):
    write(root, "input/1.png", "input/2.png", "target/1.png", "target/2.png")
    return ["1", "2"], "target/2.png"


def reds_as_published(root):
    write(root / "val/val_sharp/003", "00000009.png", "00000010.png", "00000019.png")
    write(root / "val/val_blur_jpeg/003", "00000009.jpg", "00000010.jpg", "00000019.jpg")
    return ["003/00000009", "003/00000019"], "val/val_sharp/003/00000019.png"


def reds_repackaged(root):
    write(root, *(f"{kind}/003_000000{n}.png" for kind in ("input", "target") for n in (10, 19)))
    return ["003_00000019"], "target/003_00000019.png"


def scenes(root, kind):
    write(
        root / FOLDERS[kind],
        *(
            f"scene{n}/{kind}_{k}.png".replace("/", f"/{kind}/")
            for n in ("001", "002")
            for k in (1, 2)
            for kind in ("gt", "blur")
        ),
    )
    return ["scene001/blur_1", "scene001/blur_2", "scene002/blur_1", "scene002/blur_2"]


def realblur_folder(kind):
    return lambda root: (scenes(root, kind), f"{FOLDERS[kind]}/scene002/gt/gt_2.png")


def realblur_list(root):
    scenes(root, "J")
    scene = f"{FOLDERS['J']}/scene002"
    line = f"{scene}/gt/gt_2.png {scene}/blur/blur_2.png \r\n"
    (root / "RealBlur_J_test_list.txt").write_text(line)
    return ["scene002/blur_2"], f"{scene}/gt/gt_2.png"


LAYOUTS = [
    ("hide", hide_as_published),
    ("hide", hide_repackaged),
    ("reds", reds_as_published),
    ("reds", reds_repackaged),
    ("realblur_j", realblur_folder("J")),
    ("realblur_r", realblur_folder("R")),
    ("realblur_j", realblur_list),
]


@pytest.mark.parametrize(("name", "make"), LAYOUTS)
def test_layout_is_found_and_a_missing_file_is_named(tmp_path, name, make):
    expected, truth = make(tmp_path)
    data = open_test_set(name, tmp_path)
    assert [image.name for image in data.images] == expected
    assert data.images[-1].truth == (tmp_path / truth,)
    assert data.about["benchmark"] == data.tag == name
    for layout in ("{}.png", "{}_flat.png"):
        paths = {n: n.replace("/", "_") if "flat" in layout else n for n in expected}
        for path in paths.values():
            write_image(tmp_path / f"{layout}/{path}.png", np.zeros((24, 32, 3), np.uint8))
        found = find_predictions(tmp_path / layout, data)
        assert found == {n: tmp_path / f"{layout}/{path}.png" for n, path in paths.items()}
    (tmp_path / truth).unlink()
    with pytest.raises(InputError, match=f"lacks {truth} of|{os.path.basename(truth)}"):
        open_test_set(name, tmp_path)


@pytest.mark.parametrize("name", TEST_SETS)
def test_an_empty_folder_is_refused(tmp_path, name):
    with pytest.raises(InputError, match=str(tmp_path)):
        open_test_set(name, tmp_path)


def test_only_gopro_has_splits_and_subsets(tmp_path):
    for arguments in ({"split": "test"}, {"blur_subset": "blur"}):
        with pytest.raises(InputError, match="do not go with --benchmark=hide"):
            open_test_set("hide", tmp_path, **arguments)


def test_the_truth_of_a_reflected_scene_is_the_reflection(tmp_path):
    folder = tmp_path / FOLDERS["J"]
    write(folder, "scene244/blur/blur_1.png", "scene244/gt/gt_1.png")
    write(folder, "scene244_reflect/blur/blur_1.png", "scene244_reflect/gt/gt_1.png")
    (image,) = open_test_set("realblur_j", tmp_path).images
    assert image.blurred == folder / "scene244/blur/blur_1.png"
    assert image.truth == (folder / "scene244_reflect/gt/gt_1.png",)
    assert open_test_set("realblur_j", folder).images == [image]


def test_a_list_of_realblur_that_names_other_images_is_refused(tmp_path):
    realblur_list(tmp_path)
    (tmp_path / "RealBlur_J_test_list.txt").write_text("a/gt/gt_1.png a/blur/blur_1.png")
    with pytest.raises(InputError, match=r"lists a/blur/blur_1, which is no image of RealBlur-J"):
        open_test_set("realblur_j", tmp_path)


def test_names_in_either_normal_form_are_the_same(tmp_path):
    decomposed, composed = (unicodedata.normalize(form, "\u00e9t\u00e9") for form in ("NFD", "NFC"))
    write(tmp_path / "HIDE", f"test/test-close-ups/{decomposed}.png", f"GT/{composed}.png")
    data = open_test_set("hide", tmp_path / "HIDE")
    (image,) = data.images
    assert image.name == f"test-close-ups/{composed}"
    for place in (f"{decomposed}.png", f"test-close-ups_{composed}.png"):
        write(tmp_path / place, place)
        assert find_predictions(tmp_path / place, data) == {image.name: tmp_path / place / place}


@pytest.mark.parametrize(("name", "score"), [("hide", scores), ("realblur_j", registered_scores)])
def test_images_are_scored_by_the_metrics_of_their_set(tmp_path, name, score):
    hide_as_published(tmp_path)
    scenes(tmp_path, "J")
    data = open_test_set(name, tmp_path)
    image = data.images[1]
    deblurred, sharp = (read_rgb(path) for path in (image.blurred, *image.truth))
    assert data.test_set.score(image, [deblurred]) == [list(score(deblurred, sharp))]
    assert data.test_set.metrics == score(deblurred, sharp)._fields


@pytest.mark.parametrize(
    ("name", "make", "lacking"),
    [
        ("hide", hide_as_published, "all: 2 images instead of 2025"),
        ("reds", reds_as_published, "all: 2 images instead of 300"),
        ("realblur_j", realblur_list, "all: 1 images instead of 980"),
    ],
)
def test_a_check_counts_decodes_and_names(tmp_path, capsys, name, make, lacking):
    _, truth = make(tmp_path)
    with pytest.raises(RunError, match="1 fault"):
        checking.check(name, tmp_path)
    assert lacking in capsys.readouterr().out
    content = (tmp_path / truth).read_bytes()
    (tmp_path / truth).write_bytes(content[:-100])
    with pytest.raises(RunError, match="2 faults"):
        checking.check(name, tmp_path)
    assert f"{tmp_path / truth} is " in capsys.readouterr().out
    write_image(tmp_path / truth, np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(RunError, match="2 faults"):
        checking.check(name, tmp_path)
    assert f"differs in size from {tmp_path / truth}" in capsys.readouterr().out
    (tmp_path / truth).unlink()
    with pytest.raises(RunError, match="faults"):
        checking.check(name, tmp_path)
    assert f"{truth} is missing" in capsys.readouterr().out


def encoded(height=6, width=8):
    image = np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3)
    return cv2.imencode(".png", image)[1].tobytes()


@pytest.fixture(scope="module")
def lookalike(tmp_path_factory):
    """GOPRO_Large with tiny images."""
    root, content = tmp_path_factory.mktemp("gopro"), encoded()
    for split, sequences in datasets.GOPRO.items():
        for name, pairs in sequences.items():
            for subset in ("blur", "blur_gamma", "sharp"):
                folder = root / split / name / subset
                folder.mkdir(parents=True)
                for number in range(pairs):
                    (folder / f"{number + 1:06d}.png").write_bytes(content)
    return root


def test_the_table_of_gopro_holds_the_published_numbers():
    train, test = datasets.GOPRO["train"], datasets.GOPRO["test"]
    assert (len(train), sum(train.values())) == (22, 2103)
    assert (len(test), sum(test.values())) == (11, 1111)
    assert not set(train) & set(test)


def test_every_fault_of_a_download_of_gopro_is_named(lookalike, capsys):
    checking.check("gopro", lookalike)
    printed = capsys.readouterr().out
    assert "complete: all images of GOPRO_Large are there and readable (8x6 pixels)" in printed
    rows = [line.split() for line in printed.splitlines()]
    assert ["test/GOPR0410_11_00/blur", "134", "of", "134"] in rows
    sequence = lookalike / "test/GOPR0862_11_00"
    (sequence / "blur_gamma/000077.png").unlink()
    (sequence / "sharp/000002.png").write_bytes(encoded()[:-13])
    cv2.imwrite(str(sequence / "blur/000003.png"), np.zeros((6, 8, 3), np.uint16))
    (sequence / "blur/000004.png").write_bytes(encoded(height=5))
    (lookalike / "train/GOPR0001_07_02/blur").mkdir(parents=True)
    (lookalike / "train/GOPR0001_07_02/blur/000001.png").write_bytes(encoded())
    with pytest.raises(RunError, match=r"faults, named above\. Source: https://seungjunnah"):
        checking.check("gopro", lookalike)
    printed = capsys.readouterr().out
    for fault in (
        "test/GOPR0862_11_00/blur_gamma/000077.png is missing",
        "test/GOPR0862_11_00/blur_gamma: 76 images instead of 77",
        f"{sequence}/sharp/000002.png is ",
        f"{sequence}/blur/000003.png has 16 bits",
        f"{sequence}/blur/000004.png differs in size from {sequence}/sharp/000004.png",
        "train/GOPR0001_07_02/blur is no part of GOPRO_Large",
    ):
        assert fault in printed
