"""Work that comes round: at the start, and for a while after the service was last used.

An idle service must not keep its database awake, so an idle service's timers rest.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

import structlog

from chassis.database import Database

log = structlog.get_logger(__name__)

RESTS_AFTER_S = 15 * 60
AFTER_FAILURE_S = 15

# Whether something is left to be done though nobody uses the service, or when it is.
Due: TypeAlias = bool | datetime


@dataclass(frozen=True, kw_only=True)
class Timer:
    """`work` answers what is still due: for that it is called though idle."""

    name: str
    every_s: float
    work: Callable[[], Awaitable[Due]]
    # What requests of this very process leave to be done later.
    in_every_role: bool = False
    _nudged: asyncio.Event = field(
        default_factory=asyncio.Event, init=False, repr=False
    )

    def nudge(self) -> None:
        """Come round now, for a commit of this process has made work."""
        self._nudged.set()

    async def run(self, database: Database) -> None:
        due: Due = True
        while True:
            pause_s = self.every_s
            if database.idle_s() < RESTS_AFTER_S or _has_come(due):
                try:
                    due = await self.work()
                except Exception as error:
                    log.warning("Timer failed", timer=self.name, error=repr(error))
                    due, pause_s = True, min(pause_s, AFTER_FAILURE_S)
            await self._pause(pause_s)

    async def _pause(self, pause_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._nudged.wait()
        self._nudged.clear()


def _has_come(due: Due) -> bool:
    return due <= datetime.now(UTC) if isinstance(due, datetime) else due
