"""The stages of a job at once: other threads work beside the caller."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from typing import TypeVar

T, U = TypeVar("T"), TypeVar("U")


def ahead(
    pool: Executor, function: Callable[[T], U], items: Iterable[T], count: int
) -> Iterator[U]:
    """`function(item)` for each item in order, while `pool` works at up to `count` later ones.

    The items themselves are made in the caller's thread, and no further ahead than that.
    """
    waiting = collections.deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > count:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
