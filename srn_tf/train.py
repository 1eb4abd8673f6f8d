"""Trains a network.

    python -m srn_tf.train --variant=SR-EDRB3 --data_dir=.../GOPRO_Large

The defaults are the paper's recipe; --preset=demo is a short one for CPUs and the demo data. The
same command resumes a run that was interrupted; exit status 75 says that it was told to stop.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from srn_tf.common.cli import run
from srn_tf.common.flags import define, define_options, given
from srn_tf.common.start import start_tensorflow
from srn_tf.training.configuration import RunOptions, TrainingConfig
from srn_tf.training.presets import DEMO_NOTICE, PRESETS, configured

define_options(TrainingConfig)
define_options(RunOptions)
RUN_DIR = define("run_dir", Path, None, "Run folder. Default: runs/VARIANT.", group="Run")
PRESET = define(
    "preset",
    str,
    "paper",
    "Values of the flags that are not given.",
    group="Run",
    choices=tuple(PRESETS),
)


def main() -> None:
    """Trains as the command line says."""
    start_tensorflow()
    config, options, run_dir = configured(
        given(TrainingConfig, RunOptions), PRESET.value, RUN_DIR.value
    )
    if PRESET.value == "demo":
        print(DEMO_NOTICE)
        if not config.variant.encoder_decoder:
            print(f"{config.variant.name} works at full resolution: expect 6 times the time.")
    from srn_tf.training.dry_run import dry_run
    from srn_tf.training.loop import train

    (dry_run if options.dry_run else train)(config, options, run_dir)


script = partial(run, main)  # srn-train

if __name__ == "__main__":
    script()
