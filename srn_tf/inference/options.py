"""How images and videos are written. Nothing here needs TensorFlow."""

from __future__ import annotations

import dataclasses
import re
import sys

from srn_tf.common.errors import InputError
from srn_tf.common.options import check_options, number, one_of
from srn_tf.media.containers import CODECS


@dataclasses.dataclass(frozen=True)
class Options:
    """How images and videos are written.

    Files:
      compare: Write input and output side by side.
      strip_metadata: Leave EXIF (camera, date, place) and the colour profile out, and title, date
        and place of a video; otherwise they are copied, and what cannot be is named.

    Large images:
      max_megapixels: Refuse larger images, in millions of pixels, and videos with frames of more
        than a quarter of that, as several are in memory at once.

    Videos:
      codec: Default: H.264 in MP4, MOV and MKV, VP9 in WebM. FFV1, in MKV, is without loss.
      crf: Quality of H.264 (default 18) and VP9 (default 24): 0 is best, larger is smaller.
      frames: A part, START:STOP, counted from 0; STOP is not in it, and the sound is dropped. Each
        frame is deblurred by itself, so that a video may flicker.

    Raises:
      InputError: a value out of its range, named.
    """

    compare: bool = False
    strip_metadata: bool = False
    max_megapixels: float = number(400.0, least=1e-6, most=1e6)
    codec: str | None = one_of(CODECS, None)
    crf: int | None = number(None, most=51)
    frames: str | None = None

    def __post_init__(self):
        check_options(self)
        start, stop = self.part
        if start >= stop:
            raise InputError(f"--frames is a range such as 100:200, not {self.frames!r}")

    @property
    def part(self) -> tuple[int, int]:
        """The first frame and the one after the last; either may be left out in `frames`."""
        match = re.fullmatch(r"(\d{0,9}):(\d{0,9})", self.frames or ":")
        start, stop = match.groups() if match else ("", "0")
        return int(start or 0), int(stop or sys.maxsize)
