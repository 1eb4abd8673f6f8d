"""What can end training early: signals, files, numbers, memory, other machines."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from srn_tf.common.errors import RunError
from srn_tf.data import Pair, input_error
from srn_tf.training.step import NonFiniteStep, Trainer


@contextlib.contextmanager
def stopping_on_signals(trainer: Trainer) -> Iterator[None]:
    """Lets SIGINT and SIGTERM end `fit` after the current step; a second one kills the process."""

    def request(number, frame):
        trainer.stop_requested = True
        print(f"\n{signal.Signals(number).name}: stopping after this step", file=sys.stderr)
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, request)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def explained_errors(
    pairs: list[Pair], run_dir: Path, several_workers: bool = False
) -> Iterator[None]:
    """Turns what is raised while training into one line that says what to do.

    Args:
      pairs: the training data, of which a bad batch is named.
      run_dir: the run folder.
      several_workers: whether errors may come from the connection to another worker.

    Raises:
      NonFiniteStep: with the files of its batch in the message.
      InputError: an image is unreadable.
      RunError: the disk is full, out of memory, or another worker is gone.
    """
    try:
        yield
    except NonFiniteStep as error:
        files = ", ".join(str(pairs[i].blurred) for i in error.indices)
        error.args = (
            f"{error}; the batch was {files}. It did not touch the weights, and the steps before "
            "are saved; --skip_nonfinite leaves such steps out",
        )
        raise
    except OSError as error:
        if is_disk_full(error):
            raise RunError(f"{_not_writable(run_dir)} ({error})") from None
        raise
    except tf.errors.ResourceExhaustedError as error:
        if is_disk_full(error):
            raise RunError(f"{_not_writable(run_dir)} ({_first_line(error)})") from None
        raise RunError(
            f"out of memory: raise --accumulate or lower --batch_size ({_first_line(error)})"
        ) from None
    except tf.errors.OpError as error:
        bad_input = input_error(error)
        if not bad_input and several_workers and _is_lost_connection(error):
            raise RunError(
                "another worker is gone; start all of them again to go on from the last "
                f"checkpoint ({_first_line(error)})"
            ) from None
        raise bad_input or error from None


def is_disk_full(error: OSError | tf.errors.ResourceExhaustedError) -> bool:
    """Whether `error` tells of a full disk or quota; TensorFlow's kind also stands for memory."""
    return any(os.strerror(number) in str(error) for number in (errno.ENOSPC, errno.EDQUOT))


def _not_writable(run_dir: Path) -> str:
    return (
        f"{run_dir} cannot be written: make room, and the same command goes on from the last "
        "checkpoint"
    )


def _is_lost_connection(error: tf.errors.OpError) -> bool:
    # What a dead worker leaves is one of these kinds, or another that tells of the collective.
    kinds = (tf.errors.UnavailableError, tf.errors.DeadlineExceededError, tf.errors.AbortedError)
    return isinstance(error, kinds) or "Collective" in str(error)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
