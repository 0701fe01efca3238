"""Ends the holds that ran out: late rather than early.

An order that was placed in time takes its hold over however late we hear of it; so a
hold outlives its expiry by as long as the order may be on its way.
"""

from datetime import UTC, datetime, timedelta

import structlog
from msgspec import Struct

from chassis.database import Database
from chassis.queues import Aws
from chassis.timers import Due, Timer
from chassis.topology import Queue
from inventory.commands.holds import expire_holds
from inventory.store import holds

log = structlog.get_logger(__name__)

SWEEPS_EVERY_S = 15
SWEPT_TOGETHER = 500
# What a killed process had in hand is hidden for 15 s: an empty queue may have more.
GRACE = timedelta(seconds=60)
# While orders keep coming the queue is never empty: a few of them are of the moment.
FEW_MESSAGES = 50
GRACE_WHILE_BUSY = timedelta(minutes=5)


def grace(messages: int) -> timedelta | None:
    """How long ago what is swept must have run out; None: the queue is behind."""
    if messages > FEW_MESSAGES:
        return None
    return GRACE_WHILE_BUSY if messages else GRACE


class Sweeper(Struct, frozen=True):
    database: Database
    aws: Aws
    orders: Queue

    @property
    def timer(self) -> Timer:
        return Timer(name="holds", every_s=SWEEPS_EVERY_S, work=self.sweep)

    async def sweep(self) -> Due:
        """End what ran out long enough ago; answers when to look for more."""
        next_expiry = await self.database.transact(holds.get_next_expiry)
        if next_expiry is None:
            return False
        now = datetime.now(UTC)
        if next_expiry + GRACE > now:
            return next_expiry + GRACE
        # First the depth: what is published later was placed later than what is due.
        allowed = grace(await self.aws.depth(self.orders.name))
        if allowed is not None:
            await self._expire(now - allowed)
        return True

    async def _expire(self, before: datetime) -> None:
        swept = 0
        while ended := await self.database.transact(
            expire_holds, before, most=SWEPT_TOGETHER
        ):
            swept += ended
        if swept:
            log.info("Holds expired", holds=swept)
