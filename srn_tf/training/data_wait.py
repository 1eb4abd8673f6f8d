"""How long training waits for its data."""

from __future__ import annotations

import time
from collections.abc import Iterator


class Waiting:
    """Draws batches and adds up how long that takes."""

    def __init__(self):
        self._seconds = 0.0

    def next(self, iterator: Iterator):
        """The next batch."""
        started = time.perf_counter()
        batch = next(iterator)
        self._seconds += time.perf_counter() - started
        return batch

    def take(self) -> float:
        """The seconds since the last call."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds
