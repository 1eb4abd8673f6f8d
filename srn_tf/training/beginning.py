"""The weights and states with which a run starts, or goes on."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from srn_tf.common.errors import InputError, RunError
from srn_tf.common.keras import keras
from srn_tf.network.initialisation import start_as_identity
from srn_tf.training.configuration import RunOptions, TrainingConfig
from srn_tf.training.devices import sum_over_workers, worker
from srn_tf.training.step import Trainer, make_trainer
from srn_tf.weights.run_folder import CONFIG, Checkpoints, load_model


def new_trainer(
    config: TrainingConfig, options: RunOptions, strategy: tf.distribute.Strategy, is_new: bool
) -> Trainer:
    """A trainer with its first weights; if a checkpoint is to follow, `init_from` is not read.

    Raises:
      InputError: `init_from` holds another network, or none.
    """
    keras.utils.set_random_seed(config.seed)
    if options.deterministic:
        tf.config.experimental.enable_op_determinism()
    with strategy.scope():
        trainer = make_trainer(
            config,
            accumulate=options.accumulate,
            jit_compile=options.jit_compile,
            skip_nonfinite=options.skip_nonfinite,
        )
    if config.init_from and is_new:
        source = load_model(config.init_from)
        if source.variant.to_dict() != config.variant.to_dict():
            raise InputError(
                f"{config.init_from} holds a {source.variant.name}, not a {config.variant.name}"
            )
        trainer.net.set_weights(source.get_weights())
    elif config.start == "identity":
        start_as_identity(trainer.net)
    if trainer.average is not None:
        trainer.average.set_weights(trainer.net.get_weights())
    return trainer


def restore(checkpoints: Checkpoints, folder: Path, strategy: tf.distribute.Strategy) -> int:
    """The step from which the run goes on, with everything restored as it was then.

    Raises:
      RunError: no checkpoint can be read, or the workers see different ones.
    """
    start_step = checkpoints.restore()
    if start_step is None and (folder / CONFIG).exists():
        print(f"{folder} holds no checkpoint: starting at step 0")
    start_step = start_step or 0
    sums = [sum_over_workers(strategy, start_step**power) for power in (1, 2)]
    if sums != [worker(strategy)[1] * start_step**power for power in (1, 2)]:
        raise RunError("the workers found different checkpoints: --run_dir must be a shared folder")
    return start_step


def weights(trainer: Trainer) -> dict:
    """What a checkpoint holds for inference."""
    nets = {"net": trainer.net, "average": trainer.average}
    return {name: net for name, net in nets.items() if net is not None}


def saved(trainer: Trainer) -> dict:
    """What a checkpoint holds to go on from; the data's position is the step."""
    kept = {"optimizer": trainer.optimizer, "step": trainer.step, "skipped": trainer.skipped}
    if trainer.adversary is not None:
        kept["adversary"] = trainer.adversary
    return {**weights(trainer), **kept}
