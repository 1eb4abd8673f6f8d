"""Demonstration data: real photographs under a moving camera, rendered, in GOPRO_Large's layout.

    python -m data_tools.demo --output=data/demo

The photographs come with scikit-image, nothing is downloaded; training and test use different ones.
"""

from __future__ import annotations

from pathlib import Path

from srn_tf.common.cli import run
from srn_tf.common.flags import define

WHAT, IMAGES = "What to make", "Images"
OUTPUT = define("output", Path, None, "Folder to make.", group=WHAT, required=True)
OVERWRITE = define(
    "overwrite", bool, False, "Replace a folder that holds anything else.", group=WHAT
)
OPTIONS = (
    define(
        "camera",
        str,
        "pan",
        "pan sweeps straight and nearly level, which a short training learns to undo; shake moves "
        "as a hand does.",
        group=WHAT,
        choices=("pan", "shake"),
    ),
    define(
        "seed",
        int,
        0,
        "Seed of all random choices; the same seed, the same bytes.",
        group=WHAT,
        least=0,
        below=2**32,
    ),
    define("train_pairs", int, 240, "Number of training pairs.", group=WHAT, least=1, most=10**6),
    define("test_pairs", int, 9, "Number of test pairs.", group=WHAT, least=1, most=10**6),
    define("height", int, 256, "Height in pixels.", group=IMAGES, least=16, most=2**13),
    define("width", int, 320, "Width in pixels.", group=IMAGES, least=16, most=2**13),
)


def main() -> None:
    """Makes the demo data as the flags say."""
    from data_tools.scenes import make_demo

    options = {flag.name: flag.value for flag in OPTIONS}
    made = make_demo(OUTPUT.value, overwrite=OVERWRITE.value, **options)
    say = "demo data written to {}" if made else "{} already holds this demo data"
    print(say.format(OUTPUT.value))


if __name__ == "__main__":
    run(main)
