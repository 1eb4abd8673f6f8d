"""What can end training early: files, numbers, memory, other machines. What is saved and said then.

Signals are the one other thing; they end `fit` in good order (`callbacks.StopOnSignals`).
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import tensorflow as tf

from srn_tf.common.errors import InputError, RunError
from srn_tf.data import input_error
from srn_tf.training.step import NonFiniteStep, NonFiniteWeights

Failure = (RunError, InputError, OSError, tf.errors.OpError)


@contextlib.contextmanager
def steps_saved_and_errors_explained(
    save: Callable[[], None],
    files_of_step: Callable[[int], str],
    run_dir: Path,
    several_workers: bool = False,
) -> Iterator[None]:
    """Around `fit`: whatever ends it, the steps done are saved where they can be trusted.

    Args:
      save: saves them; raises NonFiniteWeights where they are spoilt.
      files_of_step: names the files of the batch of a step, counted from 1.
      run_dir: the run folder.
      several_workers: whether errors may come from the connection to another worker.

    Raises:
      InputError: an image is unreadable.
      RunError: a step or the weights are not finite, the disk is full, out of memory, or another
        worker is gone. Each is one line that says what to do.
    """
    try:
        yield
    except Failure as error:
        if _leaves_steps_whole(error):
            try:
                save()
            except NonFiniteWeights as spoilt:  # since they were last looked at
                error = spoilt
        raise explained(error, files_of_step, run_dir, several_workers) from None


def explained(
    error: Exception,
    files_of_step: Callable[[int], str],
    run_dir: Path,
    several_workers: bool = False,
) -> Exception:
    """`error` as one line that says what to do; itself where nobody knows."""
    if isinstance(error, NonFiniteWeights):
        return RunError(
            f"{error}. The weights are spoilt and were not saved; the checkpoints before are "
            "intact: go on from there with a lower --learning_rate in another run (--init_from)"
        )
    if isinstance(error, NonFiniteStep):
        return RunError(
            f"{error}; the batch was {files_of_step(error.step)}. It did not touch the weights, "
            "and the steps before are saved; --skip_nonfinite leaves such steps out"
        )
    if isinstance(error, (OSError, tf.errors.ResourceExhaustedError)) and is_disk_full(error):
        return RunError(
            f"{run_dir} cannot be written: make room, and the same command goes on from the last "
            f"checkpoint ({_first_line(error)})"
        )
    if isinstance(error, tf.errors.ResourceExhaustedError):
        return RunError(
            f"out of memory: raise --accumulate or lower --batch_size ({_first_line(error)})"
        )
    if isinstance(error, tf.errors.OpError):
        if several_workers and not input_error(error) and _is_lost_connection(error):
            return RunError(
                "another worker is gone; start all of them again to go on from the last "
                f"checkpoint ({_first_line(error)})"
            )
        return input_error(error) or error
    return error


def is_disk_full(error: OSError | tf.errors.ResourceExhaustedError) -> bool:
    """Whether `error` tells of a full disk or quota; TensorFlow's kind also stands for memory."""
    return any(os.strerror(number) in str(error) for number in (errno.ENOSPC, errno.EDQUOT))


def _leaves_steps_whole(error: Exception) -> bool:
    """Not so when memory ran out, perhaps in the middle of an update."""
    if isinstance(error, tf.errors.ResourceExhaustedError):
        return is_disk_full(error)
    return not isinstance(error, NonFiniteWeights)


def _is_lost_connection(error: tf.errors.OpError) -> bool:
    # What a dead worker leaves is one of these kinds, or another that tells of the collective.
    kinds = (tf.errors.UnavailableError, tf.errors.DeadlineExceededError, tf.errors.AbortedError)
    return isinstance(error, kinds) or "Collective" in str(error)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
