"""Turning requests away while there are too many: what can wait is shed first.

Placing orders has a waiting line of its own; lists and reports have only this.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import Depends

from chassis import metrics
from chassis.batching import TooManyWaiting

LISTS_AT_ONCE = 16


class AtMost:
    """A dependency that lets so many requests in at once, and holds nobody up."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._inside = 0

    async def __call__(self) -> AsyncIterator[None]:
        with self.entered():
            yield

    @contextmanager
    def entered(self) -> Iterator[None]:
        if self._inside >= self._most:
            metrics.SHED.add(1)
            raise TooManyWaiting("Too many requests of this kind. Try again shortly.")
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1


def at_most(most: int) -> Any:
    """For a router or a route: `dependencies=[at_most(16)]`, a bound for all of it."""
    return Depends(AtMost(most))
