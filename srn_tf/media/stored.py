"""What a format's `read` tells of an image before its pixels are decoded."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from srn_tf.media.metadata import Metadata


class Stored(NamedTuple):
    """An image as it lies in its file, which has to stay open.

    Every `read` raises InputError for what it refuses; any other exception means a damaged file.

    Attributes:
      size: height and width in pixels, before turning.
      decode: gives uint8 or uint16 `[H, W]` or `[H, W, 2 to 4]`: gray, gray and alpha, RGB, RGBA.
      orientation: EXIF's, 1 to 8.
      metadata: what is to be copied.
    """

    size: tuple[int, int]
    decode: Callable[[], np.ndarray]
    orientation: int
    metadata: Metadata
