"""Image files: upright, whole, of their own depth, or refused by name."""

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
from image_files import DEEP, GRAY, RGB, RGBA, SMOOTH

from srn_tf.common.errors import InputError
from srn_tf.media.images import image_size, read_image, read_rgb, write_image


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_images_are_read_upright_as_pillow_turns_them(tmp_path, suffix, orientation):
    path, exif = tmp_path / f"turned{suffix}", PIL.Image.Exif()
    exif[0x0112] = orientation
    PIL.Image.fromarray(SMOOTH[:40]).save(path, exif=exif)
    upright = np.asarray(PIL.ImageOps.exif_transpose(PIL.Image.open(path)))
    np.testing.assert_array_equal(read_image(path), upright)
    assert image_size(path) == upright.shape[:2] == ((40, 64) if orientation < 5 else (64, 40))


@pytest.mark.parametrize(
    ("name", "image", "message"),
    [
        ("a.jpg", RGBA, "alpha channel needs PNG"),
        ("a.bmp", RGBA, "alpha channel needs PNG"),
        ("a.webp", DEEP["rgb"], "16 bits need PNG"),
    ],
)
def test_what_a_format_would_lose_is_refused(tmp_path, name, image, message):
    with pytest.raises(InputError, match=message):
        write_image(tmp_path / name, image)
    assert not list(tmp_path.iterdir())


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"missing\.png does not exist"):
        image_size(tmp_path / "missing.png")


def test_training_images_repeat_gray_and_refuse_what_would_be_lost(tmp_path):
    write_image(tmp_path / "gray.png", GRAY)
    np.testing.assert_array_equal(read_rgb(tmp_path / "gray.png"), np.dstack([GRAY] * 3))
    for image, words in ((DEEP["rgb"], "has 16 bits"), (RGBA, "has an alpha channel")):
        write_image(tmp_path / "a.png", image)
        with pytest.raises(InputError, match=rf"a\.png {words}"):
            read_rgb(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".bmp"])
def test_views_of_other_arrays_are_written_as_they_are(suffix, tmp_path):
    view = RGB[2:26:2, ::-1]
    write_image(tmp_path / f"view{suffix}", view)
    np.testing.assert_array_equal(read_image(tmp_path / f"view{suffix}"), view)


@pytest.mark.parametrize(("suffix", "longest"), [(".jpg", 65500), (".webp", 16383)])
def test_the_longest_side_of_a_format_can_be_written(tmp_path, suffix, longest):
    write_image(tmp_path / f"wide{suffix}", np.zeros((1, longest, 3), np.uint8))
    assert read_image(tmp_path / f"wide{suffix}").shape == (1, longest, 3)
    with pytest.raises(InputError, match=f"at most {longest} pixels a side"):
        write_image(tmp_path / f"wider{suffix}", np.zeros((1, longest + 1, 3), np.uint8))
