"""Checks a download of GOPRO_Large (Nah et al., CVPR 2017).

    python -m data_tools.gopro --data_dir=.../GOPRO_Large

The same as `python -m srn_tf.evaluate --check --data_dir=...`: 2103 training and 1111 test pairs in
`{train,test}/GOPRxxxx_yy_zz/{blur,blur_gamma,sharp}/NNNNNN.png`, where `yy` is the number of
averaged frames. Every file is decoded, so the check takes a few minutes.
"""

from __future__ import annotations

import dataclasses

from absl import flags

from srn_tf.common.cli import run
from srn_tf.common.flags import define_flags
from srn_tf.common.options import PathText
from srn_tf.evaluation.checking import check


@dataclasses.dataclass(frozen=True)
class Flags:
    """What is checked.

    Input:
      data_dir: Unpacked folder of GOPRO_Large.
    """

    data_dir: PathText


def main() -> None:
    """Prints the number of files of each sequence, then every fault (exit status 1)."""
    check("gopro", flags.FLAGS.data_dir)


if __name__ == "__main__":
    define_flags(Flags)
    run(main)
