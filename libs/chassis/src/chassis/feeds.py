"""The event log as it grows, for those who follow it live.

One query a second serves everybody, and there is none while nobody listens.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Generic, Protocol, TypeVar

import structlog

from chassis import metrics
from chassis.admission import stepping_aside
from chassis.batching import Leaving, TooManyWaiting
from chassis.database import Database, Tx

log = structlog.get_logger(__name__)

POLL_S = 1.0
AT_ONCE = 1000  # facts in a query; while it is full, the next one follows at once
BEHIND = 64  # rounds that a listener may lag before it is cut off
LISTENERS = 256


class Positioned(Protocol):
    @property
    def position(self) -> int: ...


T = TypeVar("T", bound=Positioned)


class TooSlow(Exception):
    """A listener did not keep up; it may come again and say where it was."""


class Listener(Generic[T]):
    """What one listener has not taken yet: the same objects for all, and bounded."""

    def __init__(self) -> None:
        self._rounds: asyncio.Queue[Sequence[T]] = asyncio.Queue(BEHIND)
        self._ended = asyncio.Event()
        self._too_slow = False

    def offer(self, facts: Sequence[T]) -> None:
        try:
            self._rounds.put_nowait(facts)
        except asyncio.QueueFull:
            self._too_slow = True
            self.end()

    def end(self) -> None:
        self._ended.set()

    async def take(self, *, within_s: float) -> Sequence[T] | None:
        """The next facts; nothing when there are none in time; None at the end."""
        if self._too_slow:
            raise TooSlow
        taking = asyncio.create_task(self._rounds.get())
        ending = asyncio.create_task(self._ended.wait())
        try:
            with stepping_aside():
                await asyncio.wait(
                    [taking, ending], timeout=within_s, return_when="FIRST_COMPLETED"
                )
            if taking.done():
                return taking.result()
            return None if ending.done() else ()
        finally:
            taking.cancel()
            ending.cancel()


class Feed(Generic[T]):
    """Reads what follows a position, and hands it to all who listen."""

    def __init__(
        self,
        database: Database,
        *,
        newest: Callable[[Tx], Awaitable[int]],
        read: Callable[[Tx, int, int], Awaitable[Sequence[T]]],
    ) -> None:
        self._database = database
        self._newest = newest
        self._read = read
        self._listeners: set[Listener[T]] = set()
        self._polling: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._position = 0
        self._closed = False

    @asynccontextmanager
    async def listen(self, after: int | None) -> AsyncIterator["Following[T]"]:
        """Follow from now on, or from after the position where somebody was."""
        if self._closed:
            raise Leaving("This process is leaving. Try again: another one answers.")
        if len(self._listeners) >= LISTENERS:
            metrics.SHED.add(1)
            raise TooManyWaiting("Too many are listening. Try again shortly.")
        listener: Listener[T] = Listener()
        self._listeners.add(listener)
        try:
            await self._start()
            # What comes from now on is kept for it already.
            joined = self._position
            yield Following(self, listener, joined if after is None else after, joined)
        finally:
            self._listeners.discard(listener)

    async def after(self, position: int) -> Sequence[T]:
        return await self._database.transact(self._read, position, AT_ONCE)

    def close(self) -> None:
        """Let everybody go: the process is leaving."""
        self._closed = True
        for listener in self._listeners:
            listener.end()

    async def _start(self) -> None:
        async with self._starting:
            if self._polling is None or self._polling.done():
                self._position = await self._database.transact(self._newest)
                self._polling = asyncio.create_task(self._poll())

    async def _poll(self) -> None:
        while self._listeners and not self._closed:
            try:
                facts = await self.after(self._position)
            except Exception as error:  # who listens hears on when it answers again
                log.warning("Nobody hears anything", error=repr(error))
                facts = ()
            if facts:
                self._position = facts[-1].position
                for listener in self._listeners:
                    listener.offer(facts)
            if len(facts) < AT_ONCE:
                await asyncio.sleep(POLL_S)


class Following(Generic[T]):
    """One listener's way through the log: what it missed first, then what happens."""

    def __init__(
        self, feed: Feed[T], listener: Listener[T], reached: int, joined: int
    ) -> None:
        self._feed = feed
        self._listener = listener
        self._reached = reached
        self._joined = joined

    async def next(self, *, within_s: float) -> Sequence[T] | None:
        """The next facts; nothing when there are none in time; None at the end."""
        if self._reached < self._joined:
            missed = await self._feed.after(self._reached)
            # The log may begin later than where somebody was.
            self._reached = missed[-1].position if missed else self._joined
            return missed
        taken = await self._listener.take(within_s=within_s)
        return taken and [fact for fact in taken if fact.position > self._reached]
