"""Checks a download of REDS' val-300.

    python -m data_tools.reds --data_dir=...

Counts the frames of each video, decodes every file and names what is missing or damaged (exit
status 1). `srn_tf.evaluation.reds` says which layouts are expected.
"""

from __future__ import annotations

import os
from pathlib import Path

from absl import flags

from data_tools.checking import check_pairs
from srn_tf.common.cli import run
from srn_tf.common.flags import define
from srn_tf.evaluation.reds import IMAGES, SOURCE, survey_reds


def check(data_dir: str | os.PathLike) -> None:
    """Prints what is there. Raises RunError for faults, InputError where nothing of REDS is."""
    check_pairs("REDS val-300", *survey_reds(data_dir), IMAGES, SOURCE)


def main() -> None:
    """Checks what the flag says."""
    check(flags.FLAGS.data_dir)


if __name__ == "__main__":
    define("data_dir", Path, None, "Unpacked folder of REDS.", group="Input", required=True)
    run(main)
