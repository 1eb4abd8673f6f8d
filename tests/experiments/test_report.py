"""What experiments share: GFLOPs against counts by hand, picture strips."""

import cv2
import numpy as np
import pytest

from experiments.report import choose_images, gflops, write_strip
from srn_tf.common.errors import InputError
from srn_tf.evaluation.datasets import open_test_set
from srn_tf.media.images import write_image
from srn_tf.network.model import build_model
from srn_tf.network.variants import Variant

NAMES = [f"GOPR0001_07_00/{i:06}" for i in range(5)]


@pytest.fixture
def data(tmp_path):
    for name in NAMES:
        for kind in ("blur", "sharp"):
            path = tmp_path / "data/test" / name.replace("/", f"/{kind}/")
            write_image(f"{path}.png", np.full((16, 32, 3), len(kind), np.uint8))
    return open_test_set("gopro", tmp_path / "data")


def test_gflops_equal_a_count_by_hand():
    # SS with one block: the pixels of a feature map times the weights that make it, times two.
    variant = Variant("tiny", scales=1, recurrent="conv", blocks=1)
    full, half, quarter = 32 * 48, 16 * 24, 8 * 12
    multiply_adds = (
        full * 9 * (6 * 32 + 2 * 32 * 32)  # InBlock
        + half * 9 * (32 * 64 + 2 * 64 * 64)  # EBlocks
        + quarter * 9 * (64 * 128 + 2 * 128 * 128)
        + quarter * 9 * 128 * 128  # bottleneck
        + quarter * (9 * 2 * 128 * 128 + 16 * 128 * 64)  # DBlocks, 4x4 deconvolutions
        + half * (9 * 2 * 64 * 64 + 16 * 64 * 32)
        + full * 9 * (2 * 32 * 32 + 32 * 3)  # OutBlock
    )
    assert gflops(build_model(variant), 32, 48) == pytest.approx(2e-9 * multiply_adds)


def test_gflops_of_the_final_model():
    assert gflops(build_model("SRN"), 256, 256) == pytest.approx(179.7, abs=0.05)


def test_a_strip_shows_blurred_predicted_and_sharp(data, tmp_path):
    red = np.zeros((16, 32, 3), np.uint8)
    red[..., 0] = 255
    write_image(tmp_path / "red.png", red)
    images = choose_images(data, None, count=2)
    write_strip(tmp_path / "strip.png", images, {"red": lambda image: tmp_path / "red.png"})
    strip = cv2.imread(str(tmp_path / "strip.png"))[..., ::-1]
    is_red = (strip == (255, 0, 0)).all(axis=2)
    rows, columns = np.nonzero(is_red)
    middle = strip.shape[1] / 2
    assert columns.min() < middle < columns.max()  # the middle column of three
    assert columns.max() - columns.min() < strip.shape[1] / 3
    heights = is_red[:, int(middle)]
    assert np.count_nonzero(np.diff(heights.astype(int)) == 1) == 2  # one in each row
    assert len(rows) > 0.15 * is_red.size


def test_images_are_chosen_evenly_or_by_name(data):
    assert [image.name for image in choose_images(data, None)] == [NAMES[i] for i in (0, 2, 4)]
    assert [image.name for image in choose_images(data, [NAMES[3]])] == [NAMES[3]]
    with pytest.raises(InputError, match=f"no image 'x'; names are like '{NAMES[0]}'"):
        choose_images(data, ["x"])
