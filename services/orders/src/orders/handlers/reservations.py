"""Where the units of orders are, as Inventory says."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from chassis import metrics, outbox
from chassis.database import Tx, after_commit
from chassis.events import Announcement, Envelope, Event, Router
from contracts.inventory import ReservationChanged
from contracts.orders import OrderConfirmed, OrderRejected
from orders.domain.orders import (
    Confirmed,
    Fact,
    Order,
    Rejected,
    ReservedLine,
    Snapshot,
)
from orders.handlers import hold
from orders.store import orders as store

DECIDED = metrics.counter("orderly.orders.decided", "{order}", "Orders decided")
TIME_TO_DECIDE = metrics.histogram(
    "orderly.orders.time_to_decide", "s", "From placing an order to its decision"
)

router = Router()


EVENTS: Mapping[type[Fact], type[Event]] = {
    Confirmed: OrderConfirmed,
    Rejected: OrderRejected,
}


@router.on(ReservationChanged)
async def settle_orders(tx: Tx, events: list[Envelope[ReservationChanged]]) -> None:
    # A snapshot is absolute: the newest one says all that the others said.
    newest = {
        event.order_id: event
        for event in sorted((event.data for event in events), key=lambda e: e.version)
    }
    before = await hold(tx, newest.keys())
    at = datetime.now(UTC)
    settled = [
        order.settle(_snapshot(newest[order.id]), at) for order in before.values()
    ]
    changed = [order for order, _ in settled if order is not before[order.id]]
    await store.save(tx, changed)
    await store.save_lines(tx, changed)
    facts = [fact for _, facts in settled for fact in facts.items()]
    await outbox.publish(tx, [_announcement(*fact) for fact in facts])
    decided = [order for order in changed if before[order.id].decided_at is None]
    after_commit(tx, partial(_record, decided))


def _snapshot(event: ReservationChanged) -> Snapshot:
    return Snapshot(
        version=event.version,
        lines={
            line.line: ReservedLine(
                requested=line.requested,
                reserved=line.reserved,
                backordered=line.backordered,
                shipped=line.shipped,
                released=line.released,
                returned=line.returned,
            )
            for line in event.lines
        },
    )


def _announcement(sequence: int, fact: Fact) -> Announcement:
    event = EVENTS[type(fact)].model_validate(fact, from_attributes=True)
    return Announcement(event, str(fact.order_id), sequence)


def _record(decided: Sequence[Order]) -> None:
    for order in decided:
        if order.decided_at:
            DECIDED.add(1, {"outcome": order.status})
            waited = order.decided_at - order.placed_at
            TIME_TO_DECIDE.record(waited.total_seconds())
