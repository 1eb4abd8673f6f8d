"""Training: a run is opened, its steps are done in a loop, its result is reported.

In the loop nothing asks the device for anything but at steps at which something is due, so that the
host may run ahead of it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import tensorflow as tf

from srn_tf.common.errors import InputError, RunError, Stopped
from srn_tf.common.files import reason
from srn_tf.common.folders import locked, tensorflow_path
from srn_tf.data import TrainingBatches, input_error
from srn_tf.training.configuration import RunOptions, TrainingConfig
from srn_tf.training.devices import (
    describe_devices,
    make_strategy,
    prepare_devices,
    sum_over_workers,
    worker,
)
from srn_tf.training.log import VALIDATION, LogRow, TrainingLog
from srn_tf.training.report import plot_curves, report
from srn_tf.training.run import CURVES, Run, open_run
from srn_tf.training.step import NonFiniteStep, NonFiniteWeights
from srn_tf.training.validation import LACK_OF_MEMORY, Validation

# Several workers have to ask each other whether one was told to stop.
_STEPS_BETWEEN_QUESTIONS = 10


def train(
    config: TrainingConfig,
    options: RunOptions,
    run_dir: str | Path,
    on_log: Callable[[LogRow], None] | None = None,
) -> None:
    """Starts the run in `run_dir`, or resumes it from its latest checkpoint.

    Args:
      config: what shapes the weights.
      options: what does not.
      run_dir: the run folder.
      on_log: called with each row of metrics.csv, a dict of floats with "step" among them.

    Raises:
      InputError: the data is not usable, `run_dir` was made with another configuration or other
        data, or another process trains in it.
      Stopped: by a signal; the steps are saved.
      RunError: a step was not finite, the disk is full, or another worker is gone.
    """
    folder = Path(run_dir)
    try:
        prepare_devices(config, options)
        strategy = make_strategy(options.strategy)
        with locked(folder) if worker(strategy)[0] == 0 else contextlib.nullcontext():
            run = open_run(config, options, folder, strategy)
            has_steps_left = run.start_step < run.total_steps
            if not has_steps_left and (folder / CURVES).exists():
                print(f"{folder} is finished: {run.start_step} of {run.total_steps} steps are done")
                return
            validation = Validation(run)
            alarm = run_steps(run, validation, on_log) if has_steps_left else ""
            if run.is_chief:
                _finish(run, validation, alarm)
    except KeyboardInterrupt:  # a signal, before the first step or during the report
        raise Stopped(f"{folder}: stopped; the same command resumes") from None


def run_steps(
    run: Run, validation: Validation, on_log: Callable[[LogRow], None] | None = None
) -> str:
    """Does the steps that are left; returns what is wrong with the run, if anything is.

    Raises:
      InputError: an image is unreadable.
      Stopped: by a signal; the steps are saved.
      RunError: a step or the weights are not finite, the disk is full, out of memory, or another
        worker is gone. Each is one line that says what to do.
    """
    options, trainer, start, total = run.options, run.trainer, run.start_step, run.total_steps
    batches = run.make_batches()
    elements = run.elements(batches)
    train_step = trainer.make_step(batches.crop)
    profiled = range(max(min(start + 20, total + 1) - 10, start + 1), min(start + 20, total + 1))
    log = None
    if run.is_chief:
        print(
            f"{run.config.variant.name}: steps {start} to {total}, {len(run.data.train)} pairs, "
            f"{describe_devices(run.strategy)}, run folder {run.folder}"
        )
    with _failures_explained(run, batches), _Signals(run.strategy) as signals:
        validation.try_one_image()
        for step in range(start + 1, total + 1):
            if options.profile and run.is_chief and step == profiled[0]:
                tf.profiler.experimental.start(tensorflow_path(run.folder / "logs"))
            began = time.perf_counter()
            element = next(elements)
            waited = time.perf_counter() - began
            train_step(*element)

            stops = step == total or signals.told_to_stop(step)
            logs = stops or step == start + 1 or _is_due(step, options.log_every)
            validates = _is_due(step, options.validate_every)
            saves = stops or validates or _is_due(step, options.checkpoint_every)
            if logs or saves:
                trainer.check()  # waits for the device
            seconds = time.perf_counter() - began
            if options.profile and run.is_chief and step == profiled[-1]:
                tf.profiler.experimental.stop()
            if run.is_chief:
                if log is None:  # not before a step has been done
                    run.write_config()
                    log = _make_log(run, on_log)
                log.count(seconds, waited)
                if logs:
                    log.write(step, trainer.take_logs())
                if saves:  # before a validation, which may need more memory than there is
                    run.checkpoints.save(step)
            if validates:
                validation.score(step, log)
            if stops:
                break
    alarm = log.close() if log else ""
    if step < total:
        raise Stopped(
            f"stopped at step {step} of {total}, which is saved; the same command resumes"
            + (f" ({alarm})" if alarm else "")
        )
    return alarm


def _is_due(step: int, every: int) -> bool:
    return bool(every) and step % every == 0


def _make_log(run: Run, on_log: Callable[[LogRow], None] | None) -> TrainingLog:
    columns = [*run.trainer.log_names, "skipped", "loss_scaling", "images_per_second", "data_wait"]
    return TrainingLog(
        run.folder,
        [*columns, *VALIDATION],
        run.start_step,
        run.total_steps,
        run.config.batch_size,
        on_log,
    )


def _finish(run: Run, validation: Validation, alarm: str) -> None:
    """Scores the test images, draws the curves and says that the run is finished."""
    if run.data.test:
        try:
            validation.deblurrer.take_weights(run.trainer.inference_net())
            print(report(run.folder, validation.deblurrer, run.data.test))
        except LACK_OF_MEMORY as error:
            print(f"no scores at the end: out of memory ({reason(error)})")
    plot_curves(run.folder)  # the last file of a run
    print(f"{run.folder} is finished: {run.steps_done} steps" + (f"; {alarm}" if alarm else ""))


class _Signals:
    """SIGINT and SIGTERM end the loop after the current step; a second one kills the process.

    Several workers ask each other every few steps and stop after the same one.
    """

    def __init__(self, strategy: tf.distribute.Strategy):
        self.strategy = strategy
        self.received = False

    def __enter__(self) -> _Signals:
        numbers = (signal.SIGINT, signal.SIGTERM)
        self.before = {number: signal.signal(number, self._receive) for number in numbers}
        return self

    def __exit__(self, *error) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _receive(self, number, frame) -> None:
        self.received = True
        print(f"\n{signal.Signals(number).name}: stopping as soon as possible", file=sys.stderr)
        signal.signal(number, signal.SIG_DFL)

    def told_to_stop(self, step: int) -> bool:
        """Whether this process, or another worker, has received a signal."""
        if worker(self.strategy)[1] == 1:
            return self.received
        if step % _STEPS_BETWEEN_QUESTIONS:
            return False
        return sum_over_workers(self.strategy, float(self.received)) > 0


@contextlib.contextmanager
def _failures_explained(run: Run, batches: TrainingBatches) -> Iterator[None]:
    """Whatever ends the steps, those done are saved if they can be trusted; one line says why."""
    try:
        yield
    except (RunError, InputError, OSError, tf.errors.OpError) as error:
        out_of_memory = isinstance(error, tf.errors.ResourceExhaustedError)
        # Memory may have run out in the middle of an update.
        if not isinstance(error, NonFiniteWeights) and (not out_of_memory or is_disk_full(error)):
            try:
                with contextlib.suppress(NonFiniteStep):  # which has changed nothing
                    run.trainer.check()
                if run.is_chief and run.steps_done > run.start_step:
                    run.checkpoints.save(run.steps_done)
            except NonFiniteWeights as spoilt:  # since they were last looked at
                error = spoilt
        raise explained(error, run, batches) from None


def explained(error: Exception, run: Run, batches: TrainingBatches) -> Exception:
    """`error` as one line that says what to do; itself where nobody knows."""
    if isinstance(error, NonFiniteWeights):
        return RunError(
            f"{error}. The weights are spoilt and were not saved; the checkpoints before are "
            "intact: fork one of them with a lower --learning_rate (--fork_from)"
        )
    if isinstance(error, NonFiniteStep):
        pairs = [run.data.train[i] for i in batches.pairs_of_step(error.step - 1)]
        files = ", ".join(str(pair.blurred) for pair in pairs)
        return RunError(
            f"{error}; the batch was {files}. It did not touch the weights, "
            "and the steps before are saved; --skip_nonfinite leaves such steps out"
        )
    if isinstance(error, (OSError, tf.errors.ResourceExhaustedError)) and is_disk_full(error):
        return RunError(
            f"{run.folder} cannot be written: make room, and the same command resumes from the "
            f"latest checkpoint ({reason(error)})"
        )
    if isinstance(error, tf.errors.ResourceExhaustedError):
        return RunError(
            f"out of memory: raise --accumulate or lower --batch_size ({reason(error)})"
        )
    if isinstance(error, tf.errors.OpError):
        # What a dead worker leaves is one of these kinds, or another that names the collective.
        lost = (tf.errors.UnavailableError, tf.errors.DeadlineExceededError, tf.errors.AbortedError)
        is_lost = isinstance(error, lost) or "Collective" in str(error)
        if worker(run.strategy)[1] > 1 and is_lost and not input_error(error):
            return RunError(
                "another worker is gone; start all of them again to resume from the latest "
                f"checkpoint ({reason(error)})"
            )
        return input_error(error) or error
    return error


def is_disk_full(error: OSError | tf.errors.ResourceExhaustedError) -> bool:
    """Whether `error` tells of a full disk or quota; TensorFlow's kind also stands for memory."""
    return any(os.strerror(number) in str(error) for number in (errno.ENOSPC, errno.EDQUOT))
