"""A training run from its configuration to its report: Keras `fit` in a resumable run folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import tensorflow as tf

from srn_tf.common.errors import InputError, RunError
from srn_tf.common.keras import keras
from srn_tf.data import Pair, find_pairs, read_pair, training_batches
from srn_tf.inference.deblurrer import Deblurrer
from srn_tf.network.initialisation import start_as_identity
from srn_tf.training.callbacks import Checkpointing, RunLog, StopOnRequest, Validation
from srn_tf.training.configuration import RunOptions, TrainingConfig
from srn_tf.training.devices import describe_devices, make_strategy, sum_over_workers, worker
from srn_tf.training.interruptions import explained_errors, is_disk_full, stopping_on_signals
from srn_tf.training.report import CURVES, plot_curves, report
from srn_tf.training.step import NonFiniteStep, Trainer, make_trainer
from srn_tf.weights.run_folder import (
    CONFIG,
    Checkpoints,
    checkpoint_folder,
    checkpoint_steps,
    load_model,
    read_config,
    write_config,
)


def train(config: TrainingConfig, options: RunOptions, run_dir: str | Path) -> None:
    """Starts the run in `run_dir`, or goes on where it was left; says so when it is finished.

    Raises:
      InputError: the data is not usable, or `run_dir` was made with another configuration.
      RunError: interrupted, a step was not finite, the disk is full, or another worker is gone.
    """
    run_dir = Path(run_dir)
    check_same_configuration(run_dir, config)
    strategy = make_strategy(options.strategy)
    number, count = worker(strategy)
    pairs = find_pairs(config.data_dir, "train", config.blur_subset)
    held_out = _held_out(config, options.validation_images)
    with explained_errors(pairs, run_dir, several_workers=count > 1):
        trainer = _train(config, options, run_dir, strategy, pairs, held_out)
    if trainer is None:
        return
    if number == 0 and held_out:
        print(report(run_dir, Deblurrer(trainer.inference_net()), held_out))
    if number == 0:
        plot_curves(run_dir)  # the last thing that a run does: a run that has it is finished
        print(f"{run_dir} is finished: {int(trainer.step.numpy())} steps")


def _train(
    config: TrainingConfig,
    options: RunOptions,
    run_dir: Path,
    strategy: tf.distribute.Strategy,
    pairs: list[Pair],
    held_out: list[Pair],
) -> Trainer | None:
    """Does the steps that are left and returns the trainer; None when even the report is there."""
    latest, best = (checkpoint_folder(run_dir, which) for which in ("latest", "best"))
    trainer, best_psnr = _new_trainer(
        config, options, strategy, is_new=not checkpoint_steps(latest)
    )
    saved = _saved(trainer, best_psnr)
    checkpoints = Checkpoints(latest, saved, options.keep_checkpoints)
    start_step = _restore(checkpoints, run_dir, strategy)
    total_steps = options.max_steps or config.decay_steps
    if start_step >= total_steps:
        if (run_dir / CURVES).exists():
            print(f"{run_dir} is finished: {start_step} of {total_steps} steps are done")
            return None
        return trainer

    batches = _batches(config, options, pairs, strategy, start_step)
    callbacks, log = [StopOnRequest()], None
    is_chief = worker(strategy)[0] == 0
    is_new_folder = not run_dir.exists()
    if is_chief:
        _make_run_dir(run_dir, config, options)
        (run_dir / CURVES).unlink(missing_ok=True)
        print(
            f"{config.variant.name}: steps {start_step} to {total_steps}, {len(pairs)} pairs, "
            f"{describe_devices(strategy)}, run folder {run_dir}"
        )
        log = RunLog(run_dir, start_step, total_steps, config.batch_size, options.log_every)
        callbacks.append(log)
    if options.validate_every and held_out:
        keep_best = Checkpoints(best, saved, keep=1)
        callbacks.append(Validation(held_out, options.validate_every, log, keep_best, best_psnr))
    if is_chief:  # after validation, so that a checkpoint knows the best score up to its step
        callbacks.append(Checkpointing(checkpoints, options.checkpoint_every))
        if options.profile:
            callbacks.append(_profiler(run_dir, total_steps - start_step))
    try:
        with stopping_on_signals(trainer):
            trainer.fit(
                batches,
                epochs=1,
                steps_per_epoch=total_steps - start_step,
                callbacks=callbacks,
                verbose=0,
            )
    except (NonFiniteStep, InputError, OSError, tf.errors.OpError) as error:
        if isinstance(error, tf.errors.ResourceExhaustedError) and not is_disk_full(error):
            raise  # of memory, perhaps in the middle of an update
        if is_chief and trainer.step > 0:
            checkpoints.save(int(trainer.step.numpy()))
        elif is_chief and is_new_folder:
            shutil.rmtree(run_dir)
        raise
    if int(trainer.step.numpy()) < total_steps:
        raise RunError(
            f"stopped at step {int(trainer.step.numpy())} of {total_steps}, which is saved; "
            "the same command goes on from there"
        )
    return trainer


def check_same_configuration(run_dir: Path, config: TrainingConfig) -> None:
    """Checks that `run_dir`, where it is a run folder, was made with this configuration.

    Raises:
      InputError: it differs in a field, which the message names, or holds imported weights.
    """
    if not (run_dir / CONFIG).exists():
        return
    before = read_config(run_dir).get("training")
    if before is None:
        raise InputError(
            f"{run_dir} holds imported weights: give them as --init_from and take another --run_dir"
        )
    for field, new in config.to_dict().items():
        old = before.get(field)
        if old != new:
            if field == "variant":
                old, new = old["name"], new["name"]
            raise InputError(
                f"{run_dir} was made with {field} {old!r}, not {new!r}: "
                "give the same value, or another folder for the new run"
            )


def _make_run_dir(run_dir: Path, config: TrainingConfig, options: RunOptions) -> None:
    try:
        write_config(run_dir, config.variant, training=config.to_dict(), options=options.to_dict())
    except OSError as error:
        raise InputError(f"run folder {run_dir} is not writable: {error.strerror}") from None


def _restore(checkpoints: Checkpoints, run_dir: Path, strategy) -> int:
    """The step from which the run goes on, with everything restored as it was then."""
    start_step = checkpoints.restore()
    if start_step is None and (run_dir / CONFIG).exists():
        print(f"{run_dir} holds no checkpoint: starting at step 0")
    start_step = start_step or 0
    sums = [sum_over_workers(strategy, start_step**power) for power in (1, 2)]
    if sums != [worker(strategy)[1] * start_step**power for power in (1, 2)]:
        raise RunError("the workers found different checkpoints: --run_dir must be a shared folder")
    return start_step


def _profiler(run_dir: Path, steps: int) -> keras.callbacks.Callback:
    """Profiles steps 10 to 19 of the `steps` to come, or the last ten of fewer."""
    last = min(19, steps)
    return keras.callbacks.TensorBoard(
        str(run_dir / "logs"), write_graph=False, profile_batch=(max(last - 9, 1), last)
    )


def _held_out(config: TrainingConfig, count: int) -> list[Pair]:
    """`count` pairs of the test split, evenly spaced; none where the data has no such split.

    Raises:
      InputError: as `find_pairs`, or an image is unreadable: better now than after hours.
    """
    if not count:
        return []
    if not (Path(config.data_dir) / "test").is_dir():
        print(
            f"{config.data_dir} has no folder 'test', and training images prove nothing: "
            "no validation, and no scores at the end"
        )
        return []
    pairs = find_pairs(config.data_dir, "test", config.blur_subset)
    chosen = np.linspace(0, len(pairs) - 1, min(count, len(pairs))).astype(int)
    for i in chosen:
        read_pair(pairs[i])
    return [pairs[i] for i in chosen]


def _batches(
    config: TrainingConfig, options: RunOptions, pairs: list[Pair], strategy, start_step: int
):
    """The training data from `start_step` on, shared out among the devices of `strategy`."""
    replicas = strategy.num_replicas_in_sync
    if config.batch_size % (replicas * options.accumulate):
        raise InputError(
            f"batch_size {config.batch_size} cannot be divided among {replicas} replicas and "
            f"accumulate {options.accumulate}"
        )

    def make(context: tf.distribute.InputContext | None = None) -> tf.data.Dataset:
        return training_batches(
            pairs,
            batch_size=config.batch_size,
            crop_size=config.crop_size,
            channels=config.variant.channels,
            seed=config.seed,
            start_step=start_step,
            augment=config.augment,
            cache=options.cache,
            context=context,
        )

    return make() if replicas == 1 else strategy.distribute_datasets_from_function(make)


def _new_trainer(
    config: TrainingConfig, options: RunOptions, strategy, is_new: bool
) -> tuple[Trainer, tf.Variable]:
    """The trainer with its first weights, and the variable for the best validation PSNR."""
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
        best_psnr = tf.Variable(-np.inf, dtype=tf.float64, trainable=False, name="best_psnr")
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
    return trainer, best_psnr


def _saved(trainer: Trainer, best_psnr: tf.Variable) -> dict:
    """What a checkpoint holds; the data's position is the step."""
    objects = {
        "net": trainer.net,
        "optimizer": trainer.optimizer,
        "step": trainer.step,
        "skipped": trainer.skipped,
        "best_psnr": best_psnr,
    }
    return {**objects, "average": trainer.average} if trainer.average is not None else objects
