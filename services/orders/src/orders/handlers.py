"""What Orders does about what Inventory and Accounting say."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from chassis import metrics, outbox
from chassis.database import Tx, after_commit
from chassis.events import Announcement, Envelope, Event, Router
from contracts.accounting import InvoiceIssued, RefundRequested
from contracts.inventory import ReservationChanged
from contracts.orders import OrderConfirmed, OrderRejected
from orders import store
from orders.domain import Confirmed, Fact, Order, Rejected, ReservedLine, Snapshot

DECIDED = metrics.counter("orderly.orders.decided", "{order}", "Orders decided")
TIME_TO_DECIDE = metrics.histogram(
    "orderly.orders.time_to_decide", "s", "From placing an order to its decision"
)

from_inventory = Router()
from_accounting = Router()


EVENTS: Mapping[type[Fact], type[Event]] = {
    Confirmed: OrderConfirmed,
    Rejected: OrderRejected,
}


class UnknownOrders(Exception):
    """Others speak of orders that were never placed here.

    They heard of them from the event log, which is written with the orders: this is no
    matter of time, and somebody has to look.
    """


@from_inventory.on(ReservationChanged)
async def settle_orders(tx: Tx, events: list[Envelope[ReservationChanged]]) -> None:
    # A snapshot is absolute: the newest one says all that the others said.
    newest = {
        event.order_id: event
        for event in sorted((event.data for event in events), key=lambda e: e.version)
    }
    before = await _get_for_update(tx, newest.keys())
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


@from_accounting.on(InvoiceIssued, RefundRequested)
async def update_payments(
    tx: Tx, events: list[Envelope[InvoiceIssued | RefundRequested]]
) -> None:
    newest = {
        event.order_id: event.payment
        for event in sorted(
            (event.data for event in events), key=lambda e: e.payment.version
        )
    }
    before = await _get_for_update(tx, newest.keys())
    at = datetime.now(UTC)
    accounted = [
        order.account(newest[order.id].version, newest[order.id].status, at)
        for order in before.values()
    ]
    await store.save(tx, [o for o in accounted if o is not before[o.id]])


async def _get_for_update(tx: Tx, ids: AbstractSet[UUID]) -> dict[UUID, Order]:
    found = await store.get_for_update(tx, ids)
    if unknown := ids - found.keys():
        raise UnknownOrders(", ".join(map(str, unknown)))
    return found


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
