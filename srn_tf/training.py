"""A training run from its configuration to its report: Keras `fit` in a resumable run folder."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from srn_tf.callbacks import Checkpointing, RunLog, StopOnRequest, Validation
from srn_tf.config import RunOptions, TrainingConfig
from srn_tf.data import Pair, find_pairs, input_error, training_batches
from srn_tf.errors import InputError, RunError
from srn_tf.inference import Deblurrer
from srn_tf.initialisation import start_as_identity
from srn_tf.report import report
from srn_tf.runs import (
    CONFIG,
    Checkpoints,
    checkpoint_folder,
    load_model,
    read_config,
    write_config,
)
from srn_tf.strategy import describe_devices, make_strategy, sum_over_workers, worker
from srn_tf.trainer import NonFiniteStep, Trainer, make_trainer


def train(config: TrainingConfig, options: RunOptions, run_dir: str | Path) -> None:
    """Starts the run in `run_dir`, or goes on where it was left; says so when it is finished.

    Raises:
      InputError: the data is not usable, or `run_dir` was made with another configuration.
      RunError: interrupted, a step was not finite, the disk is full, or another worker is gone.
    """
    run_dir = Path(run_dir)
    check_same_configuration(run_dir, config)
    strategy = make_strategy(options.strategy)
    is_chief = worker(strategy)[0] == 0
    pairs = find_pairs(config.data_dir, "train", config.blur_subset)
    held_out = _held_out(config, options.validation_images)

    trainer, best_psnr = _new_trainer(config, options, strategy)
    checkpoints, best = (
        Checkpoints(checkpoint_folder(run_dir, which), _saved(trainer, best_psnr), keep)
        for which, keep in (("latest", options.keep_checkpoints), ("best", 1))
    )
    start_step = _restore(checkpoints, run_dir, strategy)
    total_steps = options.max_steps or config.decay_steps
    if start_step >= total_steps and (run_dir / "comparison.png").exists():
        print(f"{run_dir} is finished: {start_step} of {total_steps} steps are done")
        return

    batches = _batches(config, options, pairs, strategy, start_step)
    callbacks, log = [StopOnRequest()], None
    if is_chief:
        _make_run_dir(run_dir, config, options)
        print(
            f"{config.variant.name}: steps {start_step} to {total_steps}, {len(pairs)} pairs, "
            f"{describe_devices(strategy)}, run folder {run_dir}"
        )
        log = RunLog(run_dir, start_step, total_steps, config.batch_size, options.log_every)
        callbacks += [log, Checkpointing(checkpoints, options.checkpoint_every)]
    if options.validate_every and held_out:
        callbacks.insert(2, Validation(held_out, options.validate_every, log, best, best_psnr))
    if options.profile:
        callbacks.append(_profiler(run_dir))
    if start_step < total_steps:
        with _reported_errors(pairs, run_dir), _stopping_on_signals(trainer):
            trainer.fit(
                batches,
                epochs=1,
                steps_per_epoch=total_steps - start_step,
                callbacks=callbacks,
                verbose=0,
            )
    if int(trainer.step.numpy()) < total_steps:
        raise RunError(
            f"stopped at step {int(trainer.step.numpy())} of {total_steps}, which is saved; "
            "the same command goes on from there"
        )
    if is_chief and held_out:
        print(report(run_dir, Deblurrer(trainer.inference_net()), held_out))
    if is_chief:
        print(f"{run_dir} is finished: {total_steps} steps")


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
                "take another --run_dir, or the same value"
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
    if sum_over_workers(strategy, start_step) != worker(strategy)[1] * start_step:
        raise RunError("the workers found different checkpoints: --run_dir must be a shared folder")
    return start_step


def _profiler(run_dir: Path) -> tf.keras.callbacks.Callback:
    return tf.keras.callbacks.TensorBoard(
        str(run_dir / "logs"), write_graph=False, profile_batch=(10, 20)
    )


def _held_out(config: TrainingConfig, count: int) -> list[Pair]:
    """`count` pairs of the test split, evenly spaced; none where the data has no such split."""
    try:
        pairs = find_pairs(config.data_dir, "test", config.blur_subset)
    except InputError as error:
        print(f"no validation and no report at the end: {error}")
        return []
    return [pairs[i] for i in np.linspace(0, len(pairs) - 1, min(count, len(pairs))).astype(int)]


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
    config: TrainingConfig, options: RunOptions, strategy
) -> tuple[Trainer, tf.Variable]:
    """The trainer with its first weights, and the variable for the best validation PSNR."""
    tf.keras.utils.set_random_seed(config.seed)
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
    if config.init_from:
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


@contextlib.contextmanager
def _stopping_on_signals(trainer: Trainer) -> Iterator[None]:
    """Lets SIGINT and SIGTERM end `fit` after the current step; a second one ends it at once."""

    def request(number, frame):
        trainer.stop_requested = True
        print(f"\n{signal.Signals(number).name}: stopping after this step", file=sys.stderr)
        signal.signal(number, before[number])

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, request)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _reported_errors(pairs: list[Pair], run_dir: Path) -> Iterator[None]:
    """Turns what can go wrong in `fit` into one line that says what to do."""
    try:
        yield
    except NonFiniteStep as error:
        files = ", ".join(str(pairs[i].blurred) for i in error.indices)
        raise RunError(
            f"{error}; the batch was {files}. The weights were not touched and {run_dir} keeps "
            "its last checkpoint; --skip_nonfinite leaves such steps out"
        ) from None
    except tf.errors.ResourceExhaustedError as error:
        raise RunError(
            f"out of memory: raise --accumulate or lower --batch_size ({_first_line(error)})"
        ) from None
    except tf.errors.OpError as error:
        if "Collective ops is aborted" in str(error):
            raise RunError(
                "another worker is gone; start all of them again to go on from the last "
                f"checkpoint ({_first_line(error)})"
            ) from None
        raise input_error(error) or error from None


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
