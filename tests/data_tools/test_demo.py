import hashlib

import cv2
import numpy as np
import pytest

from data_tools import scenes
from data_tools.rendering import mean_of_light, mean_of_values, middle_frame
from srn_tf.common.errors import InputError

SMALL = {"train_pairs": 2, "test_pairs": 1, "height": 48, "width": 64}

# Of the pixels of SMALL, as TensorFlow 2.15 with Addons and TensorFlow 2.21 render them.
DIGEST = "0ea7f15cab33ec94f3d540a6b38baa24658ace84892446cc868e1d52554e8007"


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.png")
    }


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "small"
    assert scenes.make_demo(folder, **SMALL)
    return folder


def test_averages_follow_their_definitions():
    frames = np.array([0, 100, 255], np.uint8).reshape(3, 1, 1, 1)
    assert mean_of_values(frames).item() == 118  # 355 / 3 = 118.33
    light = sum((value / 255) ** 2.2 for value in (0, 100, 255)) / 3
    assert mean_of_light(frames).item() == round(255 * light ** (1 / 2.2))
    assert middle_frame(frames).item() == 100


def test_pairs_have_the_layout_of_gopro(small):
    assert sorted(digests(small)) == sorted(
        f"{sequence}/{subset}/000001.png"
        for sequence in ("train/GOPR0001_07_00", "train/GOPR0002_09_00", "test/GOPR0101_07_00")
        for subset in ("blur", "blur_gamma", "sharp")
    )
    assert all(cv2.imread(str(path)).shape == (48, 64, 3) for path in small.rglob("*.png"))


def test_pictures_are_functions_of_seed_and_pair_alone(small, tmp_path):
    scenes.make_demo(tmp_path / "same", **{**SMALL, "train_pairs": 3})
    scenes.make_demo(tmp_path / "other", **SMALL, seed=1)
    scenes.make_demo(tmp_path / "shaken", **SMALL, camera="shake")
    expected = digests(small)
    assert expected.items() <= digests(tmp_path / "same").items()
    for folder in ("other", "shaken"):
        assert len(set(expected.values()) - set(digests(tmp_path / folder).values())) >= 6


def test_the_bytes_are_the_same_under_every_tensorflow(small):
    pixels = hashlib.sha256()
    for path in sorted(small.rglob("*.png")):
        pixels.update(cv2.imread(str(path)).tobytes())
    assert pixels.hexdigest() == DIGEST


def test_addons_and_the_core_operator_give_the_same_bytes(monkeypatch):
    pytest.importorskip("tensorflow_addons")
    view, _ = view_and_inner(32)
    poses = np.random.default_rng(1).normal(size=(3, 4)) * [5, 5, 0.1, 0.1]
    by_addons = scenes.render_frames(view, poses)
    monkeypatch.setattr(scenes.importlib.util, "find_spec", lambda name: None)
    np.testing.assert_array_equal(scenes.render_frames(view, poses), by_addons)


def test_training_and_test_photographs_differ():
    assert not set(scenes.PHOTOGRAPHS["train"]) & set(scenes.PHOTOGRAPHS["test"])


@pytest.mark.parametrize(("camera", "least", "most"), [("pan", 24, 26), ("shake", 22, 25)])
def test_test_images_are_blurred_as_strongly_as_meant(camera, least, most, tmp_path):
    scenes.make_demo(tmp_path / "demo", camera=camera, train_pairs=1)
    scores = []
    for path in (tmp_path / "demo/test").glob("*/sharp/*.png"):
        sharp = cv2.imread(str(path)).astype(float)
        blurred = cv2.imread(str(path.parents[1] / "blur" / path.name))
        scores.append(10 * np.log10(255**2 / np.mean((blurred - sharp) ** 2)))
    assert len(scores) == 9
    assert least < np.mean(scores) < most


def view_and_inner(size, seed=0):
    side = size + 2 * scenes.MARGIN
    view = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    return view, slice(scenes.MARGIN, scenes.MARGIN + size)


def test_still_camera_sees_the_inner_part_of_the_view():
    view, inner = view_and_inner(32)
    np.testing.assert_array_equal(
        scenes.render_frames(view, np.zeros((1, 4)))[0], view[inner, inner]
    )


def test_shift_is_in_pixels_right_and_down_and_interpolates_linearly():
    view, inner = view_and_inner(32)
    whole, half = scenes.render_frames(view, np.array([[5, 3, 0, 0], [0.5, 0, 0, 0]]))
    moved = np.roll(view, (-3, -5), axis=(0, 1))
    np.testing.assert_array_equal(whole, moved[inner, inner])
    between = (view.astype(float) + np.roll(view, -1, axis=1)) / 2
    np.testing.assert_allclose(half, between[inner, inner], atol=0.51)


def test_roll_and_zoom_are_about_the_image_centre():
    view, inner = view_and_inner(33)
    rolled, zoomed = scenes.render_frames(
        view, np.array([[0, 0, np.pi / 2, 0], [0, 0, 0, np.log(2)]])
    )
    np.testing.assert_allclose(rolled, np.rot90(view[inner, inner]), atol=1)
    quarter = slice(scenes.MARGIN + 8, scenes.MARGIN + 25)
    np.testing.assert_allclose(zoomed[::2, ::2], view[quarter, quarter], atol=1)


def test_pan_is_straight_nearly_level_and_rests_at_the_middle_frame():
    lengths = []
    for seed in range(20):
        poses = scenes.pan_path(9, np.random.default_rng(seed))
        assert not poses[4].any()
        assert not poses[:, 2:].any()
        steps = np.diff(poses[:, :2], axis=0)
        np.testing.assert_allclose(steps, steps[:1].repeat(8, axis=0), atol=1e-9)
        assert abs(np.arctan2(*steps[0, ::-1])) < 5 * scenes.PAN_SLOPE
        lengths.append(np.linalg.norm(poses[-1, :2] - poses[0, :2]))
    assert scenes.PAN_LENGTH[0] <= min(lengths) < max(lengths) <= scenes.PAN_LENGTH[1]


def test_shake_is_smooth_and_rests_at_the_middle_frame():
    for seed in range(20):
        poses = scenes.shake_path(13, np.random.default_rng(seed))
        assert poses.shape == (13, 4)
        assert not poses[6].any()
        steps = np.linalg.norm(np.diff(poses[:, :2], axis=0), axis=1)
        assert scenes.SHAKE_SPEED[0] - 1e-9 <= steps.mean() <= scenes.SHAKE_SPEED[1] + 1e-9
        turns = np.linalg.norm(np.diff(poses[:, :2], n=2, axis=0), axis=1)
        assert turns.max() < 2 * steps.mean()  # no zigzag: it turns less than it travels


def test_no_frame_shows_a_border():
    view = np.full((48 + 2 * scenes.MARGIN, 48 + 2 * scenes.MARGIN, 3), 200, np.uint8)
    poses = np.array([[40, -40, 0.5, -0.3], [-60, 10, -0.2, 0.1]])
    assert (scenes.render_frames(view, poses) == 200).all()


@pytest.mark.parametrize("shape", [(40, 500, 3), (1400, 1400, 3), (300, 380, 3)])
def test_view_has_the_wanted_size_whatever_the_photograph(shape):
    view = scenes.random_view(np.zeros(shape, np.uint8), (256, 320), np.random.default_rng(0))
    assert view.shape == (256 + 2 * scenes.MARGIN, 320 + 2 * scenes.MARGIN, 3)


def test_gray_photographs_gain_many_colours():
    gray = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2)
    means = np.array(
        [scenes.recolour(gray, np.random.default_rng(seed)).mean((0, 1)) for seed in range(50)]
    )
    assert means.std(axis=0).min() > 10
    assert np.abs(means - means.mean(axis=1, keepdims=True)).mean() > 5


def test_complete_data_are_left_alone(small):
    before = {path: path.stat().st_mtime_ns for path in small.rglob("*")}
    assert not scenes.make_demo(small, **SMALL)
    assert {path: path.stat().st_mtime_ns for path in small.rglob("*")} == before


def test_other_folders_are_refused_or_overwritten(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match=r"mine.*--overwrite"):
        scenes.make_demo(folder, **SMALL)
    assert (folder / "thesis.txt").exists()
    assert scenes.make_demo(folder, **SMALL, overwrite=True)
    assert not (folder / "thesis.txt").exists()
    next(folder.glob("train/*/sharp/*.png")).unlink()
    with pytest.raises(InputError, match="something else"):
        scenes.make_demo(folder, **SMALL)


def test_failure_leaves_nothing(tmp_path, monkeypatch):
    def full_disk(*_):
        raise OSError("disk full")

    monkeypatch.setattr(scenes, "write_pair", full_disk)
    with pytest.raises(OSError, match="disk full"):
        scenes.make_demo(tmp_path / "demo", **SMALL)
    assert list(tmp_path.iterdir()) == []
