"""The two ways in which a command fails; `srn_tf.common.cli` maps them to exit statuses."""

from __future__ import annotations

from collections.abc import Sequence


class InputError(ValueError):
    """Bad usage or input (exit status 2): the message names the file or value and the remedy."""


class RunError(RuntimeError):
    """A job that failed while running, or some of whose files failed (exit status 1)."""


class OutOfMemory(RunError):
    """An image for which memory does not suffice; smaller tiles may."""


def named(names: Sequence[object], most: int = 3) -> str:
    """The first `most` names and how many there are beside: "a, b, c and 7 more"."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more
