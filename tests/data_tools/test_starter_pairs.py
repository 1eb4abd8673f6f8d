import cv2
import numpy as np
import pytest

from data_tools.cameras import FRAMES, LENGTHS, Layer, camera_path, expose
from data_tools.scenes import MARGIN
from data_tools.starter_pairs import make_starter
from srn_tf.common.errors import InputError
from srn_tf.data.pairs import find_pairs


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    generator = np.random.default_rng(0)
    for name in ("a.png", "b.jpg"):
        coarse = generator.integers(0, 256, (16, 20, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / name), cv2.resize(coarse, (160, 128)))
    (folder / "notes.txt").write_text("no image")
    return folder


def test_pairs_can_be_trained_on_and_follow_the_seed_and_their_number(photographs, tmp_path):
    options = {"pairs": 3, "size": 32}
    assert make_starter([photographs], tmp_path / "one", **options)
    assert not make_starter([photographs], tmp_path / "one", **options)
    make_starter([photographs], tmp_path / "same", pairs=2, size=32)
    make_starter([photographs], tmp_path / "other", **options, seed=1)
    pairs = find_pairs(tmp_path / "one", "train")
    assert [pair.size for pair in pairs] == [(32, 32)] * 3
    for pair in pairs[:2]:
        for path in (pair.blurred, pair.sharp):
            place = path.relative_to(tmp_path / "one")
            assert path.read_bytes() == (tmp_path / "same" / place).read_bytes()
            assert path.read_bytes() != (tmp_path / "other" / place).read_bytes()


def test_folders_without_photographs_and_other_contents_are_refused(photographs, tmp_path):
    with pytest.raises(InputError, match="missing is not a folder with photographs"):
        make_starter([photographs, tmp_path / "missing"], tmp_path / "out", pairs=1, size=32)
    with pytest.raises(InputError, match="holds something else"):
        make_starter([photographs], photographs, pairs=1, size=32)


def test_paths_pass_the_sharp_pose_in_the_middle_and_have_lengths_of_hands():
    paths = [camera_path(np.random.default_rng(seed)) for seed in range(200)]
    steps = [np.diff(poses[:, :2], axis=0) for poses in paths]
    lengths = np.array([np.linalg.norm(each, axis=1).sum() for each in steps])
    for poses in paths:
        assert len(poses) % 2 == 1
        assert not poses[len(poses) // 2].any()
    assert {len(poses) for poses in paths} == {*FRAMES, *(3 * frames for frames in FRAMES)}
    # Evenly in the logarithm between a pixel and GoPro's longest.
    assert LENGTHS[0] <= lengths.min() < 1.5
    assert 30 < lengths.max() <= LENGTHS[1]
    assert np.log(lengths).mean() == pytest.approx(np.log(LENGTHS).mean(), abs=0.2)
    # In all directions, and straight as well as bent.
    turns = np.array([each.sum(axis=0) for each in steps])
    assert np.mean(turns[:, 0] ** 2 > turns[:, 1] ** 2) == pytest.approx(0.5, abs=0.1)
    bends = 1 - np.linalg.norm(turns, axis=1) / lengths
    assert np.mean(bends < 0.01) > 0.15
    assert np.mean(bends > 0.1) > 0.25
    # Not shifted against the sharp image, on average over paths.
    centroids = np.array([poses[:, :2].mean(axis=0) for poses in paths])
    assert np.abs(centroids.mean(axis=0)).max() < 3 * centroids.std() / np.sqrt(len(paths))


def test_exposure_is_the_mean_of_the_views_along_the_path():
    generator = np.random.default_rng(0)
    size = (20, 24)
    scene, other = generator.random((2, *(side + 2 * MARGIN for side in size), 3), np.float32)
    opacity = np.zeros(scene.shape[:2], np.float32)
    opacity[MARGIN + 5 : MARGIN + 12, MARGIN + 5 : MARGIN + 15] = 1

    def seen(image, shift):
        top, left = MARGIN + shift[1], MARGIN + shift[0]
        return image[top : top + size[0], left : left + size[1]]

    shifts, own_shifts = [(-2, 1), (0, 0), (3, 2)], [(1, 0), (0, 0), (-4, 2)]
    expected = np.mean(
        [
            np.where(seen(opacity, own)[..., None] == 1, seen(other, own), seen(scene, shift))
            for shift, own in zip(shifts, own_shifts)
        ],
        axis=0,
    )
    poses, own_poses = (np.pad(np.array(s, float), [(0, 0), (0, 2)]) for s in (shifts, own_shifts))
    background = np.dstack([scene, np.ones_like(opacity)])
    layers = [Layer(background, poses), Layer(np.dstack([other, opacity]), own_poses)]
    np.testing.assert_allclose(expose(layers, range(3), size), expected, atol=1e-5)


def test_other_photographs_of_the_same_names_are_other_data(photographs, tmp_path):
    make_starter([photographs], tmp_path / "out", pairs=1, size=32)
    twin = tmp_path / "elsewhere" / photographs.name
    twin.mkdir(parents=True)
    for name in ("a.png", "b.jpg"):
        cv2.imwrite(str(twin / name), np.full((128, 160, 3), 77, np.uint8))
    with pytest.raises(InputError, match="holds something else"):
        make_starter([twin], tmp_path / "out", pairs=1, size=32)
