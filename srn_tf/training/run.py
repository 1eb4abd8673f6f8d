"""A training run in its folder: its data, its network, and the checkpoint from which it resumes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from srn_tf.common.errors import InputError, RunError
from srn_tf.common.folders import tensorflow_path
from srn_tf.common.keras import keras
from srn_tf.data import Pair, TrainingBatches, find_pairs, hold_out, read_pair
from srn_tf.network.initialisation import start_as_identity
from srn_tf.network.variants import Variant
from srn_tf.training.configuration import RunOptions, TrainingConfig, fork_source
from srn_tf.training.devices import sum_over_workers, worker
from srn_tf.training.record import check_same_configuration, check_same_data, record_of_data
from srn_tf.training.step import Trainer
from srn_tf.weights.run_folder import (
    CHECKPOINT_NAME,
    Checkpoints,
    checkpoint_folder,
    checkpoint_steps,
    load_model,
    read_all,
    read_config,
    write_config,
)

CURVES = "curves.png"  # a run that has it is finished


class RunData(NamedTuple):
    """The pairs of a run.

    Attributes:
      train: what it trains on.
      held_out: of the training split, kept for validation; [] without --hold_out.
      test: of the test split, for the report, and for validation if nothing is held out.
    """

    train: list[Pair]
    held_out: list[Pair]
    test: list[Pair]


@dataclasses.dataclass
class Run:
    """An opened run: everything but the steps that are left to do.

    Attributes:
      config: what shapes the weights.
      options: what does not.
      folder: the run folder.
      strategy: on what it computes.
      data: the pairs.
      trainer: the network and all that is trained, restored.
      checkpoints: where it is saved.
      start_step: where it resumes.
    """

    config: TrainingConfig
    options: RunOptions
    folder: Path
    strategy: tf.distribute.Strategy
    data: RunData
    trainer: Trainer
    checkpoints: Checkpoints
    start_step: int

    @property
    def total_steps(self) -> int:
        """Where the run ends."""
        return self.options.max_steps or self.config.decay_steps

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes."""
        return worker(self.strategy)[0] == 0

    @property
    def steps_done(self) -> int:
        """How far the trainer is."""
        return int(self.trainer.step.numpy())

    def make_batches(self) -> TrainingBatches:
        """The training data. Raises InputError as `TrainingBatches`."""
        config, options = self.config, self.options
        replicas = self.strategy.num_replicas_in_sync
        if config.batch_size % (replicas * options.accumulate):
            raise InputError(
                f"batch_size {config.batch_size} cannot be divided among {replicas} replicas and "
                f"accumulate {options.accumulate}"
            )
        return TrainingBatches(
            self.data.train,
            batch_size=config.batch_size,
            crop_size=config.crop_size,
            channels=config.variant.channels,
            seed=config.seed,
            augment=config.augment,
            cache=options.cache,
            cache_dir=options.cache_dir,
            devices=self.strategy.extended.worker_devices if replicas > 1 else (),
        )

    def elements(self, batches: TrainingBatches) -> Iterator[tuple]:
        """What `batches.crop` takes, from the first step that is left, for all replicas."""
        if self.strategy.num_replicas_in_sync == 1:
            return iter(batches.dataset(self.start_step))
        return iter(
            self.strategy.distribute_datasets_from_function(
                lambda context: batches.dataset(self.start_step, context)
            )
        )

    def write_config(self) -> None:
        """Writes config.json; from then on the folder is a run folder."""
        write_config(
            self.folder,
            self.config.variant,
            training=self.config.to_dict(),
            options=self.options.to_dict(),
            data=record_of_data(self.data.train, self.data.held_out),
        )
        (self.folder / CURVES).unlink(missing_ok=True)


def open_run(
    config: TrainingConfig, options: RunOptions, folder: Path, strategy: tf.distribute.Strategy
) -> Run:
    """Finds the data, makes the network and restores what the folder holds; writes nothing.

    Raises:
      InputError: the data is not usable, or the folder was made with another configuration or data.
      RunError: no checkpoint can be read, or the workers see different ones.
    """
    recorded = check_same_configuration(folder, config)
    data = find_run_data(config, options.validation_images)
    latest = checkpoint_folder(folder)
    if recorded:
        has_best = bool(checkpoint_steps(latest / "best"))
        check_same_data(folder, recorded, record_of_data(data.train, data.held_out), has_best)
    keras.utils.set_random_seed(config.seed)
    if options.deterministic:
        tf.config.experimental.enable_op_determinism()
    with strategy.scope():
        trainer = Trainer(
            config,
            accumulate=options.accumulate,
            jit_compile=options.jit_compile,
            skip_nonfinite=options.skip_nonfinite,
        )
    checkpoints = Checkpoints(
        latest, trainer.checkpointed(), options.keep_checkpoints, options.keep_every_hours
    )
    start_step = checkpoints.restore()
    if start_step is None:
        if recorded:
            print(f"{folder} holds no checkpoint: it starts anew")
        start_step = _start(trainer, config)
    sums = [sum_over_workers(strategy, start_step**power) for power in (1, 2)]
    if sums != [worker(strategy)[1] * start_step**power for power in (1, 2)]:
        raise RunError("the workers found different checkpoints: --run_dir must be a shared folder")
    return Run(config, options, folder, strategy, data, trainer, checkpoints, start_step)


def _start(trainer: Trainer, config: TrainingConfig) -> int:
    """Gives a new trainer what its run starts with; returns the step.

    Raises:
      InputError: `init_from` or `fork_from` holds another network, or none.
    """
    if config.fork_from:
        return _fork(trainer, config)
    if config.init_from:
        _check_same_network(config.init_from, config)
        trainer.net.set_weights(load_model(config.init_from).get_weights())
    elif config.start == "identity":
        start_as_identity(trainer.net)
    if trainer.average is not None:
        trainer.average.set_weights(trainer.net.get_weights())
    return 0


def _check_same_network(source: str, config: TrainingConfig) -> None:
    held = Variant.from_dict(read_config(source)["variant"])
    if held.to_dict() != config.variant.to_dict():
        raise InputError(f"{source} holds a {held.name}, not a {config.variant.name}")


def _fork(trainer: Trainer, config: TrainingConfig) -> int:
    """Restores the checkpoint of another run; what that run did not have starts anew."""
    run, step = fork_source(config.fork_from)
    _check_same_network(run, config)
    folder = checkpoint_folder(run)
    steps = checkpoint_steps(folder)
    path = str(folder / f"{CHECKPOINT_NAME}-{step}")
    if step not in steps:
        there = ", ".join(map(str, reversed(steps))) or "none"
        raise InputError(f"{path} does not exist; {folder} holds the steps: {there}")
    needed = {"net": trainer.net, "step": trainer.step}
    read_all(tf.train.Checkpoint(**needed), path)
    held = {name.split("/")[0] for name, _ in tf.train.list_variables(tensorflow_path(path))}
    if "optimizer" not in held:
        raise InputError(f"{path} holds weights alone: give {run} as --init_from")
    rest = {name: part for name, part in trainer.checkpointed().items() if name in held}
    tf.train.Checkpoint(**rest).read(tensorflow_path(path)).expect_partial()
    if trainer.average is not None and "average" not in held:
        trainer.average.set_weights(trainer.net.get_weights())
    return step


def find_run_data(config: TrainingConfig, images: int) -> RunData:
    """The pairs that a configuration asks for.

    Args:
      config: with the folder and what is held out.
      images: how many whole images, evenly spaced, serve for validation and report.

    Raises:
      InputError: as `find_pairs` and `hold_out`, or one of these images is unreadable: better now
        than after hours.
    """
    train, held_out, test = find_pairs(config.data_dir, "train", config.blur_subset), [], []
    if config.hold_out is not None:
        train, held_out = hold_out(train, config.hold_out)
    if images and (Path(config.data_dir) / "test").is_dir():
        test = find_pairs(config.data_dir, "test", config.blur_subset)
    elif images:
        print(
            f"{config.data_dir} has no folder 'test', and training images prove nothing: "
            + ("" if config.hold_out else "no validation, and ")
            + "no scores at the end"
        )
    return RunData(train, *(_some_readable(pairs, images) for pairs in (held_out, test)))


def _some_readable(pairs: list[Pair], count: int) -> list[Pair]:
    chosen = np.linspace(0, len(pairs) - 1, min(count, len(pairs))).astype(int)
    for i in chosen:
        read_pair(pairs[i])
    return [pairs[i] for i in chosen]
