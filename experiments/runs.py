"""Networks trained alike (one configuration, the same data, seed and steps) and then scored.

The experiments take every flag of `srn_tf.train` but --variant, --run_dir, --init_from and
--dry_run. With --preset=demo they run DEMO_STEPS steps (or --max_steps), which is also the length
of the schedule.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from srn_tf.common.errors import InputError
from srn_tf.common.flags import define_flags, given
from srn_tf.common.options import one_of
from srn_tf.common.start import start_tensorflow
from srn_tf.network.variants import Variant, get_variant
from srn_tf.training.configuration import RunOptions, TrainingConfig
from srn_tf.training.presets import DEMO_NOTICE, PRESETS, configured

if TYPE_CHECKING:
    from srn_tf.evaluation.protocol import TestData

DEMO_STEPS = 150  # ten networks then take less than half an hour on two cores
# A run's own report would repeat the evaluation: three images are enough for it.
DEFAULTS = {"validation_images": 3, "validate_every": 0}


@dataclasses.dataclass(frozen=True)
class Flags:
    """What is no part of a configuration.

    Run:
      preset: Values of the flags that are not given.
    """

    preset: str = one_of(PRESETS, "paper")


def define_training_flags() -> None:
    """Defines the flags that are the same for all networks of an experiment."""
    define_flags(TrainingConfig, ("variant", "init_from", "fork_from"), required=False)
    define_flags(RunOptions, without=("dry_run",), defaults=DEFAULTS)
    define_flags(Flags)


def configure() -> tuple[TrainingConfig, RunOptions, TestData]:
    """What the command line asks for, with SR-EDRB3 to be replaced, and the test split to score.

    Raises:
      InputError: a value is missing, or the data cannot be used.
    """
    start_tensorflow()
    values = {**DEFAULTS, **given(TrainingConfig, RunOptions), "variant": get_variant("SR-EDRB3")}
    preset = flags.FLAGS.preset
    if preset == "demo":
        print(DEMO_NOTICE)
        values.setdefault("decay_steps", values.get("max_steps", DEMO_STEPS))
    config, options, _ = configured(values, preset)
    from srn_tf.evaluation.datasets import open_test_set
    from srn_tf.training.devices import is_multi_worker

    if is_multi_worker(options.strategy):
        raise InputError(
            "an experiment runs on one machine: unset TF_CONFIG, and give each machine networks "
            "of its own"
        )
    return config, options, open_test_set("gopro", config.data_dir, "test", config.blur_subset)


def train_and_evaluate(
    variant: Variant, config: TrainingConfig, options: RunOptions, run_dir: Path, data: TestData
) -> dict:
    """Trains `variant`, resumes, or leaves a finished run as it is; then scores its weights.

    Returns:
      The content of the evaluation's summary.json.
    """
    from srn_tf.common.keras import keras
    from srn_tf.evaluation.scoring import evaluate_run
    from srn_tf.training import train
    from srn_tf.training.record import check_same_configuration

    config = dataclasses.replace(config, variant=variant)
    try:
        check_same_configuration(run_dir, config)
    except InputError as error:
        raise InputError(f"{error} (the ablation's --output, the others' --runs)") from None
    train(config, options, run_dir)
    keras.mixed_precision.set_global_policy("float32")  # whatever the training used
    summary = evaluate_run(run_dir, data)
    keras.backend.clear_session()
    return summary
