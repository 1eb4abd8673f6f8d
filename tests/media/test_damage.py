"""An image is decoded whole or refused, also where its decoder would guess what is missing."""

import contextlib
import itertools

import cv2
import numpy as np
import PIL.Image
import pytest
from image_files import HAS_HEIC, RGB, SMOOTH, pillow, tiff

from srn_tf.common.errors import InputError
from srn_tf.media.images import read_image, read_rgb, write_image

NOISE = np.random.default_rng(0).integers(0, 256, (203, 301, 3), np.uint8)
PHOTOGRAPH = cv2.GaussianBlur(NOISE, (0, 0), 1.5)


def half(content):
    return content[: len(content) // 2]


def half_with_an_end(content):
    return half(content) + b"\xff\xd9"


def zeros_at_the_end(content):
    return half(content) + bytes(len(content) - len(content) // 2)


def zeros_and_an_end(content):
    return zeros_at_the_end(content)[:-2] + b"\xff\xd9"


def overwritten(content, seed=0):
    chance = np.random.default_rng(seed)
    place = chance.integers(len(content) // 3, len(content) * 5 // 6)
    other = chance.integers(0, 256, 40, np.uint8).tobytes()
    return content[:place] + other + content[place + 40 :]


JPEGS = {
    name: pillow(PHOTOGRAPH, "JPEG", quality=92, **options)
    for name, options in {
        "baseline": {},
        "full colour": {"subsampling": 0},
        "progressive": {"progressive": True},
        "restarts": {"restart_marker_blocks": 7},
        "motion photo": {},  # gets a tail below
    }.items()
}
JPEGS["gray"] = pillow(PHOTOGRAPH[..., 0], "JPEG", quality=92)


@pytest.mark.parametrize("name", JPEGS)
@pytest.mark.parametrize("damage", [half, half_with_an_end, zeros_at_the_end, zeros_and_an_end])
def test_a_damaged_jpeg_is_refused_everywhere(tmp_path, name, damage):
    path = tmp_path / "bad.jpg"
    path.write_bytes(damage(JPEGS[name]) + (b"video" * 99 if name == "motion photo" else b""))
    for read in (read_image, read_rgb):
        with pytest.raises(InputError, match=r"bad\.jpg .*(damaged|cut off)"):
            read(path)


@pytest.mark.parametrize("name", JPEGS)
def test_a_jpeg_with_other_bytes_in_its_middle_is_refused_if_that_shows(tmp_path, name):
    """By chance such a JPEG may be a sound one of another image: of these about one in ten."""
    read = 0
    for seed in range(20):
        (tmp_path / "bad.jpg").write_bytes(overwritten(JPEGS[name], seed))
        with contextlib.suppress(InputError):
            read_image(tmp_path / "bad.jpg")
            read += 1
    assert read <= 6


@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        *itertools.product(("WEBP", "AVIF", *["HEIF"] * HAS_HEIC), (half, zeros_at_the_end)),
        ("AVIF", overwritten),
    ],
)
def test_other_damaged_images_are_refused(tmp_path, kind, damage):
    path = tmp_path / "bad.png"
    path.write_bytes(damage(pillow(PHOTOGRAPH, kind, quality=90)))
    with pytest.raises(InputError, match=r"bad\.png .*(damaged|cut off)"):
        read_image(path)


def test_damaged_jpegs_inside_of_a_tiff_are_refused(tmp_path):
    content = tiff(PHOTOGRAPH, photometric="ycbcr", compression="jpeg", rowsperstrip=64)
    (tmp_path / "bad.tif").write_bytes(overwritten(content))
    with pytest.raises(InputError, match=r"bad\.tif is damaged"):
        read_image(tmp_path / "bad.tif")


def test_sound_jpegs_of_all_kinds_are_read_as_pillow_reads_them(tmp_path):
    path, names = tmp_path / "good.jpg", ("SAMPLING_FACTOR", "QUALITY", "PROGRESSIVE", "OPTIMIZE")
    flags = [getattr(cv2, f"IMWRITE_JPEG_{name}") for name in (*names, "RST_INTERVAL")]
    shapes = (PHOTOGRAPH[:80, :99], np.zeros((64, 64, 3), np.uint8), NOISE[:17, :9], NOISE[:1, :1])
    samplings = (0x411111, 0x221111, 0x211111, 0x121111, 0x111111)
    for image, *values in itertools.product(shapes, samplings, (1, 90), (0, 1), (0, 1), (0, 3)):
        content = cv2.imencode(".jpg", image, [*itertools.chain(*zip(flags, values))])[1]
        path.write_bytes(content.tobytes())
        np.testing.assert_array_equal(read_image(path), np.asarray(PIL.Image.open(path)))


@pytest.mark.parametrize("padding", [b"\0", b"\xff\xff\xff"])
def test_bytes_that_cameras_put_before_the_end_are_no_damage(tmp_path, padding):
    (tmp_path / "good.jpg").write_bytes(JPEGS["baseline"][:-2] + padding + b"\xff\xd9")
    assert read_image(tmp_path / "good.jpg").shape == PHOTOGRAPH.shape


def test_sound_images_of_phones_are_read(tmp_path):
    alpha = np.dstack([PHOTOGRAPH, NOISE[..., :1]])
    shapes = (PHOTOGRAPH[:64], alpha[:64, :80], NOISE[:1, :1], SMOOTH[..., 0])
    for suffix, image in itertools.product((".avif", ".webp", *[".heic"] * HAS_HEIC), shapes):
        write_image(tmp_path / f"good{suffix}", image)
        assert read_image(tmp_path / f"good{suffix}").shape[:2] == image.shape[:2]


def test_room_left_at_the_end_of_an_avif_is_no_damage(tmp_path):
    content = pillow(SMOOTH, "AVIF") + (1008).to_bytes(4, "big") + b"free" + bytes(1000)
    (tmp_path / "good.avif").write_bytes(content)
    assert read_image(tmp_path / "good.avif").shape == SMOOTH.shape


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp"])
@pytest.mark.parametrize("part", [0.5, 0.9])
def test_truncated_files_are_named(tmp_path, suffix, part):
    path = tmp_path / f"short{suffix}"
    write_image(path, RGB)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(InputError, match=rf"short{suffix} .*cut off"):
        read_image(path)


def test_a_tiff_whose_directory_was_at_its_end_is_named_too(tmp_path):
    pillows = pillow(RGB, "TIFF", compression="tiff_lzw")
    for content in (half(pillows), b"II*\0\xff\xff\0\0" + bytes(99)):
        (tmp_path / "half.tif").write_bytes(content)
        with pytest.raises(InputError, match=r"half\.tif .*cut off"):
            read_image(tmp_path / "half.tif")
