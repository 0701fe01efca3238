"""The watchdog: what nobody has answered for too long is announced again.

Whoever knows of it already says again how it stands; who does not hears of it now. No
order that somebody paid for is given up because time has passed.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import structlog

from chassis import metrics, outbox
from chassis.database import Database, Tx, after_commit
from chassis.logs import of_one
from chassis.timers import Due
from orders.commands import announcing
from orders.domain.orders import Attention
from orders.domain.rescues import (
    Patience,
    is_overdue,
    rescue_cancellation,
    rescue_order,
    with_overdue,
)
from orders.store import cancellations, rescues
from orders.store import orders as store

log = structlog.get_logger(__name__)

RESCUES = metrics.counter(
    "orderly.orders.rescues",
    "{event}",
    "Events announced again for want of an answer",
    watched=True,
)

AT_MOST = 500  # in one sweep
LATE_AFTER = timedelta(seconds=10)  # an event that waits longer shows a relay behind


class Watchdog:
    """Sweeps when its timer says so, and lets an idle database sleep in between."""

    def __init__(
        self,
        database: Database,
        patience: Patience,
        is_queue_behind: Callable[[], Awaitable[bool]],
    ) -> None:
        self._database = database
        self._patience = patience
        self._is_queue_behind = is_queue_behind

    async def sweep(self) -> Due:
        """Announce again what is due; answers when the next will be."""
        at = datetime.now(UTC)
        transact = self._database.transact
        next_due = await transact(rescues.next_due, self._patience)
        # What was not heard yet may be the answer.
        if next_due and next_due <= at and not await self._is_queue_behind():
            await transact(rescue, self._patience, at)
            next_due = await transact(rescues.next_due, self._patience)
        return next_due or False


async def rescue(tx: Tx, patience: Patience, at: datetime) -> int:
    """Announce again what is due by now; how many events that were."""
    if await rescues.is_outbox_behind(tx, before=at - LATE_AFTER):
        return 0
    undecided = await rescue_orders(tx, patience, at)
    unanswered = await rescue_cancellations(
        tx, patience, at, at_most=AT_MOST - len(undecided)
    )
    if undecided or unanswered:
        after_commit(tx, partial(_record, undecided, unanswered))
    return len(undecided) + len(unanswered)


async def rescue_orders(tx: Tx, patience: Patience, at: datetime) -> Sequence[UUID]:
    due = await rescues.find_undecided(tx, patience, at, limit=AT_MOST)
    held = await store.get_for_update(tx, due)
    # Another process may have been faster than the lock.
    rescued = [
        rescue_order(order, patience, at)
        for order in held.values()
        if is_overdue(order, patience, at)
    ]
    await store.save(tx, rescued)
    await outbox.publish(tx, [announcing.placed(order) for order in rescued])
    return [order.id for order in rescued]


async def rescue_cancellations(
    tx: Tx, patience: Patience, at: datetime, *, at_most: int
) -> Sequence[UUID]:
    due = await rescues.find_unanswered(tx, patience, at, limit=at_most)
    held = await store.get_for_update(tx, due)
    asked = await cancellations.find(tx, due)
    rescued = [
        rescue_cancellation(cancellation, patience, at)
        for order_id in held
        for cancellation in asked[order_id]
        if is_overdue(cancellation, patience, at)
    ]
    shown = [
        with_overdue(held[order_id], Attention.CANCELLATION_OPEN, at)
        for order_id in {cancellation.order_id for cancellation in rescued}
    ]
    await cancellations.save(tx, rescued)
    await store.save(tx, [order for order in shown if order is not held[order.id]])
    await announcing.announce(tx, [(c.sequence, c.request) for c in rescued])
    return [cancellation.order_id for cancellation in rescued]


def _record(undecided: Sequence[UUID], unanswered: Sequence[UUID]) -> None:
    RESCUES.add(len(undecided), {"of": "order"})
    RESCUES.add(len(unanswered), {"of": "cancellation"})
    log.warning(
        "Announced again",
        orders=len(undecided),
        cancellations=len(unanswered),
        **of_one("order_id", {*undecided, *unanswered}),
    )
