"""What can end training early: signals, files, numbers, memory, other machines."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator

import tensorflow as tf

from srn_tf.data import Pair, input_error
from srn_tf.errors import RunError
from srn_tf.trainer import NonFiniteStep, Trainer


@contextlib.contextmanager
def stopping_on_signals(trainer: Trainer) -> Iterator[None]:
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
def explained_errors(pairs: list[Pair], several_workers: bool) -> Iterator[None]:
    """Turns what TensorFlow raises while training into one line that says what to do.

    Args:
      pairs: the training data, of which a bad batch is named.
      several_workers: whether errors may come from the connection to another worker.

    Raises:
      NonFiniteStep: with the files of its batch in the message.
      InputError: an image is unreadable.
      RunError: out of memory, or another worker is gone.
    """
    try:
        yield
    except NonFiniteStep as error:
        files = ", ".join(str(pairs[i].blurred) for i in error.indices)
        error.args = (
            f"{error}; the batch was {files}. The weights were not touched and are saved; "
            "--skip_nonfinite leaves such steps out",
        )
        raise
    except tf.errors.ResourceExhaustedError as error:
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


def _is_lost_connection(error: tf.errors.OpError) -> bool:
    # What a dead worker leaves is one of these kinds, or another that tells of the collective.
    kinds = (tf.errors.UnavailableError, tf.errors.DeadlineExceededError, tf.errors.AbortedError)
    return isinstance(error, kinds) or "Collective" in str(error)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
