"""Flags that commands that make data have in common."""

from __future__ import annotations

from pathlib import Path

from srn_tf.common.flags import define

WHAT, IMAGES = "What to make", "Images"


def define_folder():
    """The folder to make, and whether it may replace another."""
    return (
        define("output", Path, None, "Folder to make.", group=WHAT, required=True),
        define("overwrite", bool, False, "Replace a folder that holds anything else.", group=WHAT),
    )


def define_seed():
    """The seed of everything that is drawn."""
    help = "Seed of all random choices; the same seed, the same bytes."
    return define("seed", int, 0, help, group=WHAT, least=0, below=2**32)
