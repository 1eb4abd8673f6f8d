"""How far a long job is: a bar on a terminal, a few lines in a log file.

Where stderr is a file (nohup, Slurm, CI) a bar would leave hundreds of lines. There a job says one
line when it starts, one every half minute with the time left, and one at its end.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TextIO, TypeVar

import tqdm

_SECONDS_BETWEEN_LINES = 30
T = TypeVar("T")


class Progress:
    """A bar or lines for a job of `total` units.

    To be used with `with`, which also says when it begins and ends; for a part of another job with
    `contextlib.closing`, which does not.

    Args:
      description: what is being done, "caching 11.6 GB".
      total: how many units there are; None where nobody knows.
      unit: what they are, in the singular.
      initial: units that were done before.
      scale: write large numbers of units as 1.2M.
      lines: say something where there is no terminal.
      bar: show a bar where there is one.
    """

    def __init__(
        self,
        description: str,
        total: int | None = None,
        unit: str = "image",
        *,
        initial: int = 0,
        scale: bool = False,
        lines: bool = True,
        bar: bool = True,
    ):
        is_terminal = sys.stderr.isatty()
        self._lines = lines and not is_terminal and total != initial
        self._bar = tqdm.tqdm(
            desc=description,
            total=total,
            unit=unit,
            initial=initial,
            unit_scale=scale,
            leave=False,
            disable=not (bar and is_terminal) or total == initial,
        )
        self._description, self._total, self._unit = description, total, unit
        self._format = tqdm.tqdm.format_sizeof if scale else str
        self._initial = self._done = initial
        self._began = self._said = time.monotonic()

    def __enter__(self) -> Progress:
        if self._total is None:
            self._say("begins")
        else:
            left = self._format(self._total - self._initial)
            self._say(f"begins, {left} {self._unit}{'s' * (left != '1')} to do")
        return self

    def __exit__(self, kind, *_) -> None:
        self.close()
        taken = duration(time.monotonic() - self._began)
        self._say(f"{self._count()} in {taken}" + (", not finished" if kind else ""))

    def update(self, units: int = 1, note: str = "") -> None:
        """Tells that `units` more are done; `note` stands behind the bar."""
        self._done += units
        if note:
            self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(units)
        now = time.monotonic()
        if now - self._said >= _SECONDS_BETWEEN_LINES:
            self._said = now
            self._say(f"{self._count()}{self._time_left(now)}")

    def close(self) -> None:
        """Takes the bar away."""
        self._bar.close()

    def _count(self) -> str:
        done = self._format(self._done)
        of = f" of {self._format(self._total)}" if self._total is not None else ""
        return f"{done}{of} {self._unit}{'s' * (done != '1' or bool(of))}"

    def _time_left(self, now: float) -> str:
        new = self._done - self._initial
        if self._total is None or not new:
            return ""
        left = (now - self._began) / new * (self._total - self._done)
        return f", left {duration(max(left, 0))}"

    def _say(self, words: str) -> None:
        if self._lines:
            print(f"{self._description}: {words}", file=sys.stderr, flush=True)


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
    tqdm.tqdm.write(line, file)
