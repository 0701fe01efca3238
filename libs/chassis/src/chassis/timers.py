"""Work that comes round: at the start, and for a while after the service was last used.

An idle service must not keep its database awake, so an idle service's timers rest.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from chassis.database import Database

log = structlog.get_logger(__name__)

RESTS_AFTER_S = 15 * 60
AFTER_FAILURE_S = 15


@dataclass(frozen=True, kw_only=True)
class Timer:
    """`work` answers whether something is still due: then it is called though idle."""

    name: str
    every_s: float
    work: Callable[[], Awaitable[bool]]
    # While idle: what nobody mends for weeks is not to keep a database awake as long.
    every_s_at_rest: float = 0
    # What requests of this very process leave to be done later.
    in_every_role: bool = False
    _nudged: asyncio.Event = field(
        default_factory=asyncio.Event, init=False, repr=False
    )

    def nudge(self) -> None:
        """Come round now, for a commit of this process has made work."""
        self._nudged.set()

    async def run(self, database: Database) -> None:
        due, worked_at = True, -math.inf
        while True:
            pause_s = self.every_s
            if self._has_come(database, due=due, worked_at=worked_at):
                try:
                    due = await self.work()
                    worked_at = time.monotonic()
                except Exception as error:
                    log.warning("Timer failed", timer=self.name, error=repr(error))
                    due, pause_s = True, min(pause_s, AFTER_FAILURE_S)
            await self._pause(pause_s)

    def _has_come(self, database: Database, *, due: bool, worked_at: float) -> bool:
        if database.idle_s() < RESTS_AFTER_S:
            return True
        return due and time.monotonic() - worked_at >= self.every_s_at_rest

    async def _pause(self, pause_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._nudged.wait()
        self._nudged.clear()
