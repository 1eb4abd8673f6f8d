"""Damaged photographs and videos: they are read, videos also written, or refused by name.

When a decoder ends the process, the damaged file that it was reading is still in the folder.
"""

import numpy as np
import PIL.Image
import pytest
from clips import make_video
from image_files import HAS_HEIC
from mutations import mutated

from srn_tf.common.errors import InputError, RunError
from srn_tf.inference.options import Options
from srn_tf.inference.video_files import deblur_video
from srn_tf.media.images import image_size, read_photograph, write_image
from srn_tf.media.metadata import Metadata

IMAGES = (".png", ".jpg", ".webp", ".tif", ".bmp", ".avif", *[".heic"] * HAS_HEIC)
VIDEOS = {  # suffix: muxer, encoder and pixel format
    ".mp4": ("mp4", "libx264", "yuv420p"),
    ".mkv": ("matroska", "libx264", "yuv420p"),
    ".webm": ("webm", "libvpx-vp9", "yuv420p"),
    ".avi": ("avi", "mpeg4", "yuv420p"),
    ".mts": ("mpegts", "libx264", "yuv420p"),
    ".mpg": ("mpeg", "mpeg2video", "yuv420p"),
    ".wmv": ("asf", "wmv2", "yuv420p"),
    ".flv": ("flv", "libx264", "yuv420p"),
    ".gif": ("gif", "gif", "rgb8"),
}
COUNTS = {**dict.fromkeys(IMAGES, 1000), **dict.fromkeys(VIDEOS, 750)}
SECONDS = 90


def read_image_file(path):
    image_size(path)
    image, metadata = read_photograph(path, 1.0)
    for suffix in (".tif", ".jpg") if image.shape[-1] == 3 and image.dtype == np.uint8 else ():
        write_image(path.with_name(f"copy{suffix}"), image, metadata)


def read_video_file(path):
    try:
        deblur_video(lambda image: image, path, path.with_name("copy.mkv"), Options())
    finally:
        for copy in path.parent.glob("*copy*"):
            copy.unlink()


def sample(folder, suffix):
    path = folder / f"whole{suffix}"
    if suffix in VIDEOS:
        muxer, encoder, pixels = VIDEOS[suffix]
        options = {"deadline": "realtime"} if suffix == ".webm" else {"g": "3"}
        sound = "aac" if suffix in (".mp4", ".mkv", ".mts") else None
        coding = {"encoder": encoder, "pixels": pixels, "options": options}
        make_video(path, (0, 1, 2), muxer=muxer, sound=sound, **coding)
        return
    rows = np.arange(48)[:, None, None]
    image = (rows * 3 + np.arange(40)[:, None] * 2 + np.arange(3) * 20).astype(np.uint8)
    exif = PIL.Image.Exif()
    exif[0x010F], exif[0x8769], exif[0x8825] = "Maker", {0x9003: "2024:05:06 07:08:09"}, {1: "N"}
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    write_image(path, image, Metadata(block, bytes(120), (72.0, 72.0)))


@pytest.mark.fuzz
@pytest.mark.parametrize("suffix", COUNTS)
def test_damaged_media(tmp_path, suffix):
    sample(tmp_path, suffix)
    original, path = tmp_path / f"whole{suffix}", tmp_path / f"damaged{suffix}"
    read = read_video_file if suffix in VIDEOS else read_image_file
    count, refusals = 0, []
    for content in mutated(original.read_bytes(), COUNTS[suffix], SECONDS):
        path.write_bytes(content)
        count += 1
        try:
            read(path)
        except (InputError, RunError) as error:
            refusals.append(str(error))
    print(f"{suffix}: {count} damaged files, {len(refusals)} refused, nothing else came out")
    assert count > COUNTS[suffix] // 10
    assert refusals
    assert all(path.name in text for text in refusals)
