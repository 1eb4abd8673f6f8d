"""Training pairs for the starter weights: any sharp photographs under cameras of many kinds.

    python -m data_tools.starter --photographs=DIR,DIR --output=data/starter

`data_tools.starter_pairs` says how they are made, `data_tools.lessons` in which order they teach.
"""

from __future__ import annotations

from data_tools.flags import IMAGES, WHAT, define_folder, define_seed
from srn_tf.common.cli import run
from srn_tf.common.flags import define

PHOTOGRAPHS = define(
    "photographs", list, None, "Folders of sharp photographs.", group=WHAT, required=True
)
OUTPUT, OVERWRITE = define_folder()
OPTIONS = (
    define(
        "lesson",
        str,
        "all",
        "Cameras: nearly level and straight pans, straight lines in any direction, all kinds, all "
        "kinds with more noise, long smooth curves, or the shake of the demonstration.",
        group=WHAT,
        choices=("pans", "lines", "all", "noisy", "curves", "shake"),
    ),
    define_seed(),
    define("pairs", int, 4000, "Number of pairs.", group=WHAT, least=1, most=10**6),
    define("size", int, 256, "Height and width in pixels.", group=IMAGES, least=32, most=2**13),
)


def main() -> None:
    """Makes the data as the flags say."""
    from data_tools.starter_pairs import make_starter

    options = {flag.name: flag.value for flag in OPTIONS}
    made = make_starter(PHOTOGRAPHS.value, OUTPUT.value, overwrite=OVERWRITE.value, **options)
    print(f"{OUTPUT.value} " + ("is written" if made else "already holds this data"))


if __name__ == "__main__":
    run(main)
