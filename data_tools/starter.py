"""Training pairs for the starter weights: any sharp photographs under cameras of many kinds.

    python -m data_tools.starter --photographs=DIR,DIR --output=data/starter

`data_tools.starter_pairs` says how they are made.
"""

from __future__ import annotations

from srn_tf.common.cli import run
from srn_tf.common.flags import define

_WHAT, _IMAGES = "What to make", "Images"
PHOTOGRAPHS = define(
    "photographs", list, None, "Folders of sharp photographs.", group=_WHAT, required=True
)
OUTPUT = define("output", str, None, "Folder to make.", group=_WHAT, required=True)
OPTIONS = (
    define(
        "seed",
        int,
        0,
        "Seed of all random choices; the same seed, the same bytes.",
        group=_WHAT,
        least=0,
        below=2**32,
    ),
    define("pairs", int, 4000, "Number of pairs.", group=_WHAT, least=1, most=10**6),
    define("size", int, 256, "Height and width in pixels.", group=_IMAGES, least=32, most=2**13),
    define("overwrite", bool, False, "Replace a folder that holds anything else.", group=_WHAT),
)


def main() -> None:
    """Makes the data as the flags say."""
    from data_tools.starter_pairs import make_starter

    options = {flag.name: flag.value for flag in OPTIONS}
    made = make_starter(PHOTOGRAPHS.value, OUTPUT.value, **options)
    print(f"{OUTPUT.value} " + ("is written" if made else "already holds this data"))


if __name__ == "__main__":
    run(main)
