"""Image files: upright, whole, of their own depth, or refused by name."""

import numpy as np
import PIL.Image
import pytest

from srn_tf.common.errors import InputError
from srn_tf.media.images import image_size, read_image, read_rgb, write_image

# What each EXIF orientation does, by EXIF 2.3: where the stored row 0 and column 0 are shown.
ORIENTATIONS = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}


def picture(dtype=np.uint8, channels=3, height=24, width=32):
    """Smooth in both directions and different in each corner."""
    rows, columns = np.mgrid[0:height, 0:width]
    planes = [4 * rows + 2 * columns, 2 * rows + 5 * columns, 200 - 3 * rows, 90 + 4 * columns]
    stacked = np.stack(planes[:channels], axis=-1).astype(dtype)
    stacked *= np.iinfo(dtype).max // 255
    return stacked[..., 0] if channels == 1 else stacked


def shown(stored, row0, column0):
    """The upright picture of a stored one, from the two words of the standard."""
    if row0 in ("left", "right"):
        stored = stored.swapaxes(0, 1)
        row0, column0 = column0, row0
    if row0 == "bottom":
        stored = stored[::-1]
    return stored[:, ::-1] if column0 == "right" else stored


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_images_are_read_upright(tmp_path, suffix, orientation):
    path = tmp_path / f"turned{suffix}"
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if suffix == ".webp" else {"quality": 100}
    if suffix == ".tif":
        PIL.Image.fromarray(picture()).save(path, tiffinfo={0x0112: orientation})
    else:
        PIL.Image.fromarray(picture()).save(path, exif=exif, **options)
    upright = shown(picture(), *ORIENTATIONS[orientation])
    np.testing.assert_allclose(read_image(path).astype(int), upright, atol=12)
    assert image_size(path) == upright.shape[:2]


@pytest.mark.parametrize(
    ("name", "dtype", "channels", "message"),
    [
        ("a.jpg", np.uint8, 4, "alpha channel needs PNG"),
        ("a.bmp", np.uint8, 4, "alpha channel needs PNG"),
        ("a.webp", np.uint16, 3, "16 bits need PNG"),
    ],
)
def test_what_a_format_would_lose_is_refused(tmp_path, name, dtype, channels, message):
    with pytest.raises(InputError, match=message):
        write_image(tmp_path / name, picture(dtype, channels))
    assert not list(tmp_path.iterdir())


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"missing\.png does not exist"):
        image_size(tmp_path / "missing.png")


def test_training_images_repeat_gray_and_refuse_what_would_be_lost(tmp_path):
    write_image(tmp_path / "gray.png", picture(channels=1))
    gray = read_rgb(tmp_path / "gray.png")
    np.testing.assert_array_equal(gray, np.stack([picture(channels=1)] * 3, axis=-1))
    write_image(tmp_path / "deep.png", picture(np.uint16))
    with pytest.raises(InputError, match=r"deep\.png has 16 bits"):
        read_rgb(tmp_path / "deep.png")
    write_image(tmp_path / "alpha.png", picture(channels=4))
    with pytest.raises(InputError, match=r"alpha\.png has an alpha channel"):
        read_rgb(tmp_path / "alpha.png")


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".bmp"])
def test_views_of_other_arrays_are_written_as_they_are(suffix, tmp_path):
    view = picture(height=48, width=64)[2:26:2, ::-1]
    write_image(tmp_path / f"view{suffix}", view)
    np.testing.assert_array_equal(read_image(tmp_path / f"view{suffix}"), view)


@pytest.mark.parametrize(("suffix", "longest"), [(".jpg", 65500), (".webp", 16383)])
def test_the_longest_side_of_a_format_can_be_written(tmp_path, suffix, longest):
    write_image(tmp_path / f"wide{suffix}", np.zeros((1, longest, 3), np.uint8))
    assert read_image(tmp_path / f"wide{suffix}").shape == (1, longest, 3)
    with pytest.raises(InputError, match=f"at most {longest} pixels a side"):
        write_image(tmp_path / f"wider{suffix}", np.zeros((1, longest + 1, 3), np.uint8))
