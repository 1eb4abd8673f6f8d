"""Demonstration data: real photographs under a moving camera, rendered, in GOPRO_Large's layout.

    python -m data_tools.demo --output=data/demo

The photographs come with scikit-image, nothing is downloaded; training and test use different ones.
"""

from __future__ import annotations

import dataclasses

from srn_tf.common.cli import run
from srn_tf.common.flags import define_flags, read_flags
from srn_tf.common.options import PathText, number, one_of


@dataclasses.dataclass(frozen=True)
class Flags:
    """What is made.

    What to make:
      output: Folder to make.
      overwrite: Replace a folder that holds anything else.
      camera: pan sweeps straight and nearly level, which a short training learns to undo; shake
        moves as a hand does.
      seed: Seed of all random choices; the same seed, the same bytes.
      train_pairs: Number of training pairs.
      test_pairs: Number of test pairs.

    Images:
      height: Height in pixels.
      width: Width in pixels.
    """

    output: PathText
    overwrite: bool = False
    camera: str = one_of(("pan", "shake"), "pan")
    seed: int = number(0, most=2**32 - 1)
    train_pairs: int = number(240, least=1)
    test_pairs: int = number(9, least=1)
    height: int = number(256, least=16, most=2**13)
    width: int = number(320, least=16, most=2**13)


def main() -> None:
    """Makes the demo data as the flags say."""
    from data_tools.scenes import make_demo

    values = dataclasses.asdict(read_flags(Flags))
    output = values.pop("output")
    made = make_demo(output, **values)
    print(f"demo data written to {output}" if made else f"{output} already holds this demo data")


if __name__ == "__main__":
    define_flags(Flags)
    run(main)
