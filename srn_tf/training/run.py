"""A training run: opened in its folder, fitted with Keras, reported."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import tensorflow as tf

from srn_tf.common.errors import InputError, RunError
from srn_tf.common.folders import locked
from srn_tf.common.keras import keras
from srn_tf.data import TrainingBatches
from srn_tf.training.beginning import new_trainer, restore, saved, weights
from srn_tf.training.callbacks import Checkpointing, FiniteCheck, RunLog, StopOnSignals
from srn_tf.training.configuration import RunOptions, TrainingConfig
from srn_tf.training.devices import describe_devices, make_strategy, prepare_gpus, worker
from srn_tf.training.identity import check_same_configuration, identity
from srn_tf.training.interruptions import steps_saved_and_errors_explained
from srn_tf.training.report import CURVES, plot_curves, report
from srn_tf.training.splits import RunData, find_run_data
from srn_tf.training.step import NonFiniteStep, Trainer
from srn_tf.training.validation import LACK_OF_MEMORY, TrainedDeblurrer, Validation
from srn_tf.weights.run_folder import (
    CONFIG,
    Checkpoints,
    best_psnr_of,
    checkpoint_folder,
    checkpoint_steps,
    write_config,
)


@dataclasses.dataclass
class Run:
    """An opened run: everything but the steps that are left to do.

    Attributes:
      config: what shapes the weights.
      options: what does not.
      folder: the run folder.
      strategy: on what it computes.
      data: the pairs.
      identity: what config.json keeps of them.
      trainer: the network and all that is trained, restored.
      checkpoints: where it is saved.
      start_step: where the run goes on.
      is_new_folder: whether the run folder is made by this call.
    """

    config: TrainingConfig
    options: RunOptions
    folder: Path
    strategy: tf.distribute.Strategy
    data: RunData
    identity: dict
    trainer: Trainer
    checkpoints: Checkpoints
    start_step: int
    is_new_folder: bool

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

    @cached_property
    def deblurrer(self) -> TrainedDeblurrer:
        """Deblurs with the weights reached."""
        return TrainedDeblurrer(self.config.variant)


def train(config: TrainingConfig, options: RunOptions, run_dir: str | Path) -> None:
    """Starts the run in `run_dir`, or goes on where it was left; says so when it is finished.

    Raises:
      InputError: the data is not usable, `run_dir` was made with another configuration or other
        data, or another process trains in it.
      RunError: interrupted, a step was not finite, the disk is full, or another worker is gone.
    """
    run_dir = Path(run_dir)
    check_same_configuration(run_dir, config)
    prepare_gpus(tf32=options.tf32, memory_growth=options.memory_growth)
    strategy = make_strategy(options.strategy)
    with _lock(run_dir) if worker(strategy)[0] == 0 else contextlib.nullcontext():
        run = open_run(config, options, run_dir, strategy)
        if run.steps_done < run.total_steps:
            fit(run)
        elif (run_dir / CURVES).exists():
            print(f"{run_dir} is finished: {run.start_step} of {run.total_steps} steps are done")
            return
        if run.is_chief:
            finish(run)


def open_run(
    config: TrainingConfig, options: RunOptions, folder: Path, strategy: tf.distribute.Strategy
) -> Run:
    """Finds the data, makes the network and restores what the folder holds; writes nothing.

    Raises:
      InputError: as `train`.
      RunError: no checkpoint can be read, or the workers see different ones.
    """
    data = find_run_data(config, options.validation_images)
    latest = checkpoint_folder(folder)
    trainer = new_trainer(config, options, strategy, is_new=not checkpoint_steps(latest))
    checkpoints = Checkpoints(latest, saved(trainer), options.keep_checkpoints)
    return Run(
        config=config,
        options=options,
        folder=folder,
        strategy=strategy,
        data=data,
        identity=identity(folder, config, data),
        trainer=trainer,
        checkpoints=checkpoints,
        start_step=restore(checkpoints, folder, strategy),
        is_new_folder=not (folder / CONFIG).exists(),
    )


def fit(run: Run) -> None:
    """Does the steps that are left. Raises InputError and RunError as `train`."""
    config, strategy = run.config, run.strategy
    batches = _batches(run)
    run.trainer.crop = batches.crop
    if run.is_chief:
        _make_folder(run)
        print(
            f"{config.variant.name}: steps {run.start_step} to {run.total_steps}, "
            f"{len(run.data.train)} pairs, {describe_devices(strategy)}, run folder {run.folder}"
        )
    signals = StopOnSignals(run.start_step, strategy)
    callbacks = [signals, *_callbacks(run)]

    def dataset(context: tf.distribute.InputContext | None = None) -> tf.data.Dataset:
        return batches.dataset(run.start_step, context)

    def save() -> None:
        step = run.steps_done
        with contextlib.suppress(NonFiniteStep):  # which has changed nothing
            run.trainer.check()
        if run.is_chief and step > 0:
            run.checkpoints.save(step)
        elif run.is_chief and run.is_new_folder:
            _remove_folder(run.folder)

    def files_of_step(step: int) -> str:
        return ", ".join(str(run.data.train[i].blurred) for i in batches.pairs_of_step(step - 1))

    several = strategy.num_replicas_in_sync > 1
    with (
        steps_saved_and_errors_explained(
            save, files_of_step, run.folder, several_workers=worker(strategy)[1] > 1
        ),
        signals,
    ):
        run.trainer.fit(
            strategy.distribute_datasets_from_function(dataset) if several else dataset(),
            epochs=1,
            steps_per_epoch=run.total_steps - run.start_step,
            callbacks=callbacks,
            verbose=0,
        )
    if run.steps_done < run.total_steps:
        raise RunError(
            f"stopped at step {run.steps_done} of {run.total_steps}, which is "
            "saved; the same command goes on from there"
        )


def finish(run: Run) -> None:
    """Scores the test images, draws the curves and says that the run is finished."""
    if run.data.test:
        try:
            run.deblurrer.take_weights(run.trainer.inference_net())
            print(report(run.folder, run.deblurrer, run.data.test))
        except LACK_OF_MEMORY as error:
            print(f"no scores at the end: out of memory ({str(error).splitlines()[0]})")
    plot_curves(run.folder)  # the last thing that a run does: a run that has it is finished
    print(f"{run.folder} is finished: {run.steps_done} steps")


def _callbacks(run: Run) -> list[keras.callbacks.Callback]:
    options, start, total = run.options, run.start_step, run.total_steps
    periods = (options.log_every, options.checkpoint_every, options.validate_every)
    callbacks, log = [FiniteCheck(start, *periods)], None
    if run.is_chief:
        log = RunLog(run.folder, start, total, run.config.batch_size, options.log_every)
        # A validation may need more memory than there is: no step is lost with it.
        callbacks += [log, Checkpointing(start, periods[1:], run.checkpoints)]
    if options.validate_every and (run.data.held_out or run.data.test):
        folder = checkpoint_folder(run.folder, "best")
        best_psnr = tf.Variable(best_psnr_of(folder), dtype=tf.float64, trainable=False)
        best = None
        if run.data.held_out:
            best = Checkpoints(folder, {**weights(run.trainer), "best_psnr": best_psnr}, keep=1)
        callbacks.append(
            Validation(
                start,
                options.validate_every,
                run.data.held_out or run.data.test,
                run.deblurrer,
                log,
                best,
                best_psnr,
            )
        )
    if run.is_chief and options.profile:
        callbacks.append(_profiler(run.folder, total - start))
    return callbacks


def _profiler(folder: Path, steps: int) -> keras.callbacks.Callback:
    """Profiles steps 10 to 19 of the `steps` to come, or the last ten of fewer."""
    last = min(19, steps)
    return keras.callbacks.TensorBoard(
        str(folder / "logs"), write_graph=False, profile_batch=(max(last - 9, 1), last)
    )


def _batches(run: Run) -> TrainingBatches:
    config, options = run.config, run.options
    replicas = run.strategy.num_replicas_in_sync
    if config.batch_size % (replicas * options.accumulate):
        raise InputError(
            f"batch_size {config.batch_size} cannot be divided among {replicas} replicas and "
            f"accumulate {options.accumulate}"
        )
    return TrainingBatches(
        run.data.train,
        batch_size=config.batch_size,
        crop_size=config.crop_size,
        channels=config.variant.channels,
        seed=config.seed,
        augment=config.augment,
        cache=options.cache,
        cache_dir=options.cache_dir,
        clean_cache=options.clean_cache,
        devices=run.strategy.extended.worker_devices if replicas > 1 else (),
    )


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(folder))
        except OSError as error:
            raise InputError(f"run folder {folder} is not writable: {error.strerror}") from None
        yield


def _make_folder(run: Run) -> None:
    sections = {"training": run.config.to_dict(), "options": run.options.to_dict()}
    try:
        write_config(run.folder, run.config.variant, **sections, **run.identity)
    except OSError as error:
        raise InputError(f"run folder {run.folder} is not writable: {error.strerror}") from None
    (run.folder / CURVES).unlink(missing_ok=True)


def _remove_folder(folder: Path) -> None:
    """What a run that did no step has written; `locked` removes the folder itself."""
    (folder / CONFIG).unlink(missing_ok=True)
    (folder / "metrics.csv").unlink(missing_ok=True)
    for name in ("logs", "checkpoints"):
        shutil.rmtree(folder / name, ignore_errors=True)
