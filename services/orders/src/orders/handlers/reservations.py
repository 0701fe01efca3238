"""Where the units of orders are, as Inventory says."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from chassis import metrics
from chassis.database import Tx, after_commit
from chassis.events import Envelope, Router
from contracts.inventory import DeadLetterChanged, ReservationChanged
from orders.commands import announcing
from orders.domain.orders import Order
from orders.domain.settling import Settled, settle
from orders.domain.snapshots import (
    Answer,
    MovedLine,
    Receipt,
    ReleasedLine,
    ReservedLine,
    ReturnedLine,
    Shipment,
    Snapshot,
)
from orders.handlers import hold
from orders.handlers.letters import mark_orders
from orders.store import cancellations, returns
from orders.store import orders as store

DECIDED = metrics.counter(
    "orderly.orders.decided", "{order}", "Orders decided", watched=True
)
TIME_TO_DECIDE = metrics.histogram(
    "orderly.orders.time_to_decide",
    "s",
    "From placing an order to its decision",
    watched=True,
)

router = Router()
router.on(DeadLetterChanged)(mark_orders)


@router.on(ReservationChanged)
async def settle_orders(tx: Tx, events: list[Envelope[ReservationChanged]]) -> None:
    # A snapshot is absolute: the newest one says all that the others said.
    newest = {
        event.order_id: event
        for event in sorted((event.data for event in events), key=lambda e: e.version)
    }
    before = await hold(tx, newest.keys())
    snapshots = {id_: _snapshot(event) for id_, event in newest.items()}
    settled = await _settle(tx, before, snapshots)
    changed = [s.order for s in settled if s.order is not before[s.order.id]]
    await store.save(tx, changed)
    await store.save_lines(tx, changed)
    await cancellations.save(tx, [c for s in settled for c in s.cancellations])
    await returns.save(tx, [r for s in settled for r in s.returns])
    await announcing.announce(tx, [f for s in settled for f in s.facts.items()])
    decided = [order for order in changed if before[order.id].decided_at is None]
    after_commit(tx, partial(_record, decided))


async def _settle(
    tx: Tx, orders: Mapping[UUID, Order], snapshots: Mapping[UUID, Snapshot]
) -> list[Settled]:
    """Most snapshots have no news of cancellations or returns: nothing is asked."""
    answered = [
        order.id
        for order in orders.values()
        if len(snapshots[order.id].answers) > order.answers_announced
    ]
    back = [
        order.id
        for order in orders.values()
        if len(snapshots[order.id].receipts) > order.receipts_announced
    ]
    asked = await cancellations.find(tx, answered)
    expected = await returns.find(tx, back)
    at = datetime.now(UTC)
    return [
        settle(
            order,
            snapshots[order.id],
            at,
            cancellations=asked[order.id],
            returns=expected[order.id],
        )
        for order in orders.values()
    ]


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
        answers=tuple(_answers(event)),
        shipments=tuple(_shipments(event)),
        receipts=tuple(_receipts(event)),
    )


def _answers(event: ReservationChanged) -> Iterator[Answer]:
    for answered in event.cancellations:
        yield Answer(
            cancellation_id=answered.cancellation_id,
            lines=tuple(ReleasedLine(**dict(line)) for line in answered.lines),
        )


def _shipments(event: ReservationChanged) -> Iterator[Shipment]:
    currencies = {line.line: line.cost_currency for line in event.lines}
    for shipment in event.shipments:
        lines = tuple(
            MovedLine(**dict(line), cost_currency=currencies.get(line.line))
            for line in shipment.lines
        )
        yield Shipment(**dict(shipment) | {"lines": lines})


def _receipts(event: ReservationChanged) -> Iterator[Receipt]:
    currencies = {line.line: line.cost_currency for line in event.lines}
    for receipt in event.returns:
        lines = tuple(
            ReturnedLine(**dict(line), cost_currency=currencies.get(line.line))
            for line in receipt.lines
        )
        yield Receipt(**dict(receipt) | {"lines": lines})


def _record(decided: Sequence[Order]) -> None:
    for order in decided:
        if order.decided_at:
            DECIDED.add(1, {"outcome": order.status})
            waited = order.decided_at - order.placed_at
            TIME_TO_DECIDE.record(waited.total_seconds())
