"""A small test set on disk, and predictions of it."""

import pytest
from scored_images import NAMES, pixels, place

from srn_tf.media.images import write_image


@pytest.fixture
def data(tmp_path):
    for name in NAMES:
        for folder in ("blur", "blur_gamma", "sharp"):
            write_image(tmp_path / "data" / place(name, folder), pixels(name, folder))
    return tmp_path / "data"


@pytest.fixture
def predictions(tmp_path):
    for name in NAMES:
        write_image(tmp_path / f"predictions/{name}.png", pixels(name, "sharp") // 2)
    return tmp_path / "predictions"
