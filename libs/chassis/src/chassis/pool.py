"""Connections to PostgreSQL, kept open from one transaction to the next.

SQLAlchemy's own pool is asked, and given back to, by way of greenlets and a task, which
costs as much as three statements.
"""

import asyncio
from contextlib import nullcontext
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import NullPool
from typing_extensions import override


class Opener(NullPool):
    """SQLAlchemy's part: it opens and closes, and we keep.

    It waits for a silent server to say goodbye for two seconds, and not for ever.
    """

    @override
    def _close_connection(
        self, connection: DBAPIConnection, *, terminate: bool = False
    ) -> None:
        super()._close_connection(connection, terminate=True)


class Pool:
    def __init__(self, engine: AsyncEngine, *, size: int, timeout_s: float) -> None:
        self.in_use = 0
        self._engine = engine
        self._places = asyncio.Semaphore(size)
        self._timeout_s = timeout_s
        # The last in is the first out: what is not needed is left to go idle.
        self._idle: list[Connection] = []

    async def take(self) -> AsyncConnection:
        """One for the caller alone, until it gives it back."""
        full = self._places.locked()  # to ask costs less than a timer
        async with asyncio.timeout(self._timeout_s) if full else nullcontext():
            await self._places.acquire()
        self.in_use += 1
        try:
            return await self._kept() or await self._engine.connect()
        except BaseException:
            self._leave()
            raise

    async def give_back(self, taken: AsyncConnection) -> None:
        """Keep it for the next one, if it is fit for that."""
        try:
            if not _is_fit(taken):
                await _discard(taken)
            elif taken.sync_connection:
                self._idle.append(taken.sync_connection)
                taken.sync_connection = None  # who still has it can do nothing with it
        finally:
            self._leave()

    async def _kept(self) -> AsyncConnection | None:
        while self._idle:
            kept = self._last()
            if _is_fit(kept):
                return kept
            self.give_up_idle()
            await _discard(kept)
        return None

    def _last(self) -> AsyncConnection:
        return AsyncConnection(self._engine, self._idle.pop())

    def _leave(self) -> None:
        self.in_use -= 1
        self._places.release()

    def give_up_idle(self) -> None:
        """Who died did not die alone: all are made anew."""
        for kept in self._idle:
            adapted_of(kept).driver_connection.terminate()

    async def close_idle(self) -> None:
        while self._idle:
            await self._last().close()


def adapted_of(connection: Connection | None) -> Any:
    """What SQLAlchemy has made of the driver's connection; neither has types."""
    assert connection is not None  # noqa: S101 - it is not, from taking to giving back
    return connection.connection.dbapi_connection


def _is_fit(taken: AsyncConnection) -> bool:
    if taken.invalidated:
        return False
    adapted = adapted_of(taken.sync_connection)
    if adapted is None:  # who was closing it was told to leave
        return False
    driver = adapted.driver_connection
    # Of a BEGIN that was refused, the driver thinks that it goes on.
    begun = driver._top_xact is not None  # noqa: SLF001 - there is no other way to ask
    return not (driver.is_closed() or driver.is_in_transaction() or begun)


async def _discard(taken: AsyncConnection) -> None:
    if not taken.invalidated:
        await taken.invalidate()  # SQLAlchemy may not have been told that it died
    await taken.close()
