"""Checks a download of HIDE.

    python -m data_tools.hide --data_dir=...

Counts the images of both groups, decodes every file and names what is missing or damaged (exit
status 1). `srn_tf.evaluation.hide` says which layouts are expected.
"""

from __future__ import annotations

import os
from pathlib import Path

from absl import flags

from data_tools.checking import check_pairs
from srn_tf.common.cli import run
from srn_tf.common.flags import define
from srn_tf.evaluation.hide import IMAGES, SOURCE, survey_hide


def check(data_dir: str | os.PathLike) -> None:
    """Prints what is there. Raises RunError for faults, InputError where nothing of HIDE is."""
    check_pairs("HIDE", *survey_hide(data_dir), IMAGES, SOURCE)


def main() -> None:
    """Checks what the flag says."""
    check(flags.FLAGS.data_dir)


if __name__ == "__main__":
    define("data_dir", Path, None, "Unpacked folder of HIDE.", group="Input", required=True)
    run(main)
