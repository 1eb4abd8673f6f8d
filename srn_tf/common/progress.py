"""How far a long job is: a bar on a terminal, a line every half minute in a log file."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sized
from typing import TextIO, TypeVar

import tqdm

SECONDS_BETWEEN_LINES = 30
T = TypeVar("T")


class Progress(tqdm.tqdm):
    """A bar on a terminal, which is taken away at the end, for a job of `total` units.

    Where stderr is a file (nohup, Slurm, CI), in which a bar would leave hundreds of lines, it
    becomes a line every half minute.

    Args:
      description: what is being done, "caching 11.6 GB".
      total: how many units there are; None where nobody knows.
      unit: what they are, in the singular.
      initial: units that were done before.
      lines: write lines where there is no terminal.
    """

    monitor_interval = 0  # tqdm needs no thread of its own: each update looks at the clock

    def __init__(
        self,
        description: str,
        total: int | None = None,
        unit: str = "image",
        *,
        initial: int = 0,
        lines: bool = True,
    ):
        self._is_terminal = getattr(sys.stderr, "isatty", lambda: False)()
        shown = self._is_terminal or (lines and sys.stderr is not None)
        wait = 0.0 if self._is_terminal else SECONDS_BETWEEN_LINES
        super().__init__(
            desc=description,
            total=total,
            unit=unit,
            initial=initial,
            leave=False,
            disable=not shown or total == initial,
            delay=wait,
            mininterval=wait or 0.1,
            miniters=0,
            ncols=None if self._is_terminal else 0,
        )

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        """Called by tqdm to show its text, an empty one to take it away."""
        if self._is_terminal:
            return super().display(msg, pos)
        if msg is None:
            print(self, file=self.fp, flush=True)
        return False


def progress(
    items: Iterable[T], description: str, total: int | None = None, unit: str = "image"
) -> Iterator[T]:
    """Yields `items` and shows how many are through; `total` is their number where it is known."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with Progress(description, total, unit) as shown:
        for item in items:
            yield item
            shown.update()


def duration(seconds: float) -> str:
    """In words: "02:05", "3 days 01:02:05"."""
    days, rest = divmod(int(seconds), 24 * 3600)
    return f"{days} day{'s' * (days > 1)} " * (days > 0) + tqdm.tqdm.format_interval(rest)


def say(line: str, file: TextIO | None = None) -> None:
    """Prints a line, by default on stdout, without tearing a bar."""
    if file or sys.stdout:
        tqdm.tqdm.write(line, file)
