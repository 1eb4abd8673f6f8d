"""What the page shows and gives is what `srn_tf.deblur` writes; needs no browser."""

import numpy as np
import pytest

from srn_tf.inference.files import Job, deblur_files
from srn_tf.inference.options import Options
from srn_tf.media.images import read_image, write_image

page = pytest.importorskip("srn_tf.serving.page", reason="needs Gradio", exc_type=ImportError)


def invert(image, on_progress):
    return np.iinfo(image.dtype).max - image


def ignore(share):
    pass


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [
        ("color.jpg", (20, 30, 3), np.uint8),
        ("alpha.png", (20, 30, 4), np.uint8),
        ("deep.tif", (20, 30, 3), np.uint16),
    ],
)
def test_the_png_is_what_the_command_writes(tmp_path, name, shape, dtype):
    path, target = tmp_path / name, tmp_path / "by_command.png"
    write_image(path, np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype))
    assert deblur_files(invert, [Job(path, target)], Options()) == []
    before, after, _ = page.write_pictures(invert, path, 0.01, ignore)
    assert after.name == f"{path.stem}_deblurred.png"
    assert after.read_bytes() == target.read_bytes()
    np.testing.assert_array_equal(read_image(before), read_image(path))


def test_a_second_result_has_a_new_name_and_replaces_the_first(tmp_path):
    path = tmp_path / "a.png"
    write_image(path, np.zeros((20, 30), np.uint8))
    first, second = (page.write_pictures(invert, path, 0.01, ignore)[1] for _ in range(2))
    assert first.parent != second.parent
    assert sorted(tmp_path.iterdir()) == sorted([path, second.parent])
