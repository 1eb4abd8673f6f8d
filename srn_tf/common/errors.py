"""The ways in which a command fails, each with its exit status."""

from __future__ import annotations

from collections.abc import Sequence


class InputError(ValueError):
    """Bad usage or input: the message names the file or value and the remedy."""

    status = 2


class RunError(RuntimeError):
    """A job that failed while running, or some of whose files failed."""

    status = 1


class OutOfMemory(RunError):
    """An image for which memory does not suffice; smaller tiles may."""


class Stopped(RunError):
    """A training that was told to stop and can resume: a queue may start it again."""

    status = 75  # EX_TEMPFAIL


def named(names: Sequence[object], most: int = 3) -> str:
    """The first `most` names and the number of the others: "a, b, c and 7 more"."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more
