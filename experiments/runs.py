"""Networks trained alike (one configuration, the same data, seed and steps) and then scored.

The experiments take every flag of `srn_tf.train` but --variant and --run_dir. With --preset=demo
they run DEMO_STEPS steps (or --max_steps), which is also the length of the schedule.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from absl import flags

from srn_tf import train as train_command
from srn_tf.common.errors import InputError
from srn_tf.common.keras import keras
from srn_tf.evaluation.benchmarks import Benchmark
from srn_tf.evaluation.scoring import evaluate_run
from srn_tf.network.variants import Variant
from srn_tf.training.configuration import RunOptions, TrainingConfig
from srn_tf.training.devices import is_multi_worker
from srn_tf.training.run import check_same_configuration, train

DEMO_STEPS = 150  # ten networks then take less than half an hour on two cores
BASE = "SR-EDRB3"

# A run's own report would repeat the evaluation: three images are enough for it.
flags.FLAGS.set_default("validation_images", 3)
flags.FLAGS.set_default("validate_every", 0)


def configure() -> tuple[TrainingConfig, RunOptions]:
    """What the command line asks for; the variant is SR-EDRB3, to be replaced.

    Raises:
      InputError: as `srn_tf.train`, or a flag is given that an experiment decides itself.
    """
    given = flags.FLAGS
    if not given.data_dir:
        raise InputError("--data_dir is missing: the folder of the image pairs")
    for name in ("variant", "run_dir", "init_from"):
        if given[name].present:
            raise InputError(f"--{name} does not go with an experiment, see --help")
    if given.preset == "demo" and given.decay_steps is None:
        given.decay_steps = given.max_steps or DEMO_STEPS
    given.variant = BASE
    config, options, _ = train_command.configure()
    if is_multi_worker(options.strategy):
        raise InputError(
            "an experiment runs on one machine: unset TF_CONFIG, and give each machine networks "
            "of its own"
        )
    return config, options


def train_and_evaluate(
    variant: Variant,
    config: TrainingConfig,
    options: RunOptions,
    run_dir: Path,
    benchmark: Benchmark,
) -> dict:
    """Trains `variant`, or goes on, or leaves a finished run as it is; then scores its weights.

    Returns:
      The content of the evaluation's summary.json.
    """
    config = dataclasses.replace(config, variant=variant)
    try:
        check_same_configuration(run_dir, config)
    except InputError as error:
        raise InputError(f"{error} (the ablation's --output, the scales' --runs)") from None
    train(config, options, run_dir)
    keras.mixed_precision.set_global_policy("float32")  # whatever the training used
    summary = evaluate_run(run_dir, benchmark)
    keras.backend.clear_session()
    return summary
