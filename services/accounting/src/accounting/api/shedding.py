"""What is asked for less urgently gives way first: so many at once, and no more."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from fastapi import Depends

from chassis.errors import Unavailable

AGAIN_AFTER_S = 2


class Busy(Unavailable):
    code = "busy"


class Gate:
    """A dependency that lets in so many requests at once, until they are answered.

    The next ones are told to come again rather than kept waiting: they would hold
    connections that bookkeeping needs.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._inside = 0

    async def __call__(self) -> AsyncIterator[None]:
        with self.entered():
            yield

    @contextmanager
    def entered(self) -> Iterator[None]:
        if self._inside >= self._most:
            raise Busy(
                "Too much of this is asked for right now.", retry_after_s=AGAIN_AFTER_S
            )
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1


REPORTS_AT_ONCE = 3
# A route's dependency, after the one that asks who is there.
REPORT = Depends(Gate(REPORTS_AT_ONCE))
