"""Checks a download of RealBlur.

    python -m data_tools.realblur --data_dir=... --kind=J

Counts the test images of each scene, decodes every file and names what is missing or damaged (exit
status 1). `srn_tf.evaluation.realblur` says which layout is expected.
"""

from __future__ import annotations

import os
from pathlib import Path

from absl import flags

from data_tools.checking import check_pairs
from srn_tf.common.cli import run
from srn_tf.common.flags import define
from srn_tf.evaluation.realblur import FOLDERS, IMAGES, SOURCE, survey_realblur


def check(data_dir: str | os.PathLike, kind: str) -> None:
    """Prints what is there of RealBlur-`kind`, "J" or "R".

    Raises:
      RunError: there are faults.
      InputError: nothing of RealBlur is there.
    """
    check_pairs(f"RealBlur-{kind}", *survey_realblur(data_dir, kind), IMAGES, SOURCE)


def main() -> None:
    """Checks what the flags say."""
    check(flags.FLAGS.data_dir, flags.FLAGS.kind)


if __name__ == "__main__":
    define(
        "data_dir",
        Path,
        None,
        "Unpacked folder of RealBlur, or a list.",
        group="Input",
        required=True,
    )
    define("kind", str, "J", "RealBlur-J or RealBlur-R.", group="Input", choices=tuple(FOLDERS))
    run(main)
