"""Trains a network.

    python -m srn_tf.train --variant=SR-EDRB3 --data_dir=.../GOPRO_Large

The defaults are the paper's recipe; --preset=demo is a short one for CPUs and the demo data. The
same command resumes a run that was interrupted; exit status 75 says that it was told to stop.
"""

from __future__ import annotations

import dataclasses
from functools import partial

from srn_tf.common.cli import run
from srn_tf.common.flags import define_flags, given, read_flags
from srn_tf.common.options import PathText, one_of
from srn_tf.common.start import start_tensorflow
from srn_tf.training.configuration import RunOptions, TrainingConfig
from srn_tf.training.presets import DEMO_NOTICE, PRESETS, configured


@dataclasses.dataclass(frozen=True)
class Flags:
    """What else there is to say.

    Run:
      run_dir: Run folder. Default: runs/VARIANT.
      preset: Values of the flags that are not given. demo, for CPUs: batches of 2 crops of 64, a
        learning rate from 5e-4 to 0 in 1000 steps, --start=identity, and more frequent logs,
        checkpoints and validations.
    """

    run_dir: PathText | None = None
    preset: str = one_of(PRESETS, "paper")


define_flags(TrainingConfig, required=False)
define_flags(RunOptions)
define_flags(Flags)


def main() -> None:
    """Trains as the command line says."""
    start_tensorflow()
    flags = read_flags(Flags)
    config, options, run_dir = configured(
        given(TrainingConfig, RunOptions), flags.preset, flags.run_dir
    )
    if flags.preset == "demo":
        print(DEMO_NOTICE)
        if not config.variant.encoder_decoder:
            print(f"{config.variant.name} works at full resolution: expect 6 times the time.")
    from srn_tf.training.dry_run import dry_run
    from srn_tf.training.loop import train

    (dry_run if options.dry_run else train)(config, options, run_dir)


script = partial(run, main)  # srn-train

if __name__ == "__main__":
    script()
