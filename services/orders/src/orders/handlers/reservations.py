"""Where the units of orders are, as Inventory says."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from msgspec.structs import asdict

from chassis import metrics
from chassis.database import Tx, after_commit
from chassis.events import Envelope, Router
from contracts import inventory as contracts
from contracts.inventory import DeadLetterChanged, ReservationChanged
from orders.commands import announcing
from orders.domain.orders import Standing, Status
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
    snapshots = {id_: _snapshot(newest[id_]) for id_ in before}
    settled = await _settle(tx, before, snapshots)
    changed = [s.order for s in settled if s.order is not before[s.order.id]]
    await store.save_settled(tx, changed)
    await cancellations.save(tx, [c for s in settled for c in s.cancellations])
    await returns.save(tx, [r for s in settled for r in s.returns])
    await announcing.announce(tx, [f for s in settled for f in s.facts.items()])
    decided = [
        (order.status, order.decided_at - order.placed_at)
        for order in changed
        if order.decided_at and before[order.id].decided_at is None
    ]
    after_commit(tx, partial(_record, decided))


async def _settle(
    tx: Tx, orders: Mapping[UUID, Standing], snapshots: Mapping[UUID, Snapshot]
) -> list[Settled[Standing]]:
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
            cancellations=asked.get(order.id, ()),
            returns=expected.get(order.id, ()),
        )
        for order in orders.values()
    ]


def _snapshot(event: ReservationChanged) -> Snapshot:
    currencies = {line.line: line.cost_currency for line in event.lines}
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
        answers=tuple(map(_answer, event.cancellations)),
        shipments=tuple([_shipment(one, currencies) for one in event.shipments]),
        receipts=tuple([_receipt(one, currencies) for one in event.returns]),
    )


def _answer(answered: contracts.AnsweredCancellation) -> Answer:
    return Answer(
        cancellation_id=answered.cancellation_id,
        lines=tuple(ReleasedLine(**asdict(line)) for line in answered.lines),
    )


def _shipment(
    shipment: contracts.Shipment, currencies: Mapping[int, str | None]
) -> Shipment:
    lines = tuple(
        MovedLine(**asdict(line), cost_currency=currencies.get(line.line))
        for line in shipment.lines
    )
    return Shipment(**asdict(shipment) | {"lines": lines})


def _receipt(
    receipt: contracts.ReceivedReturn, currencies: Mapping[int, str | None]
) -> Receipt:
    lines = tuple(
        ReturnedLine(**asdict(line), cost_currency=currencies.get(line.line))
        for line in receipt.lines
    )
    return Receipt(**asdict(receipt) | {"lines": lines})


def _record(decided: Sequence[tuple[Status, timedelta]]) -> None:
    for outcome, orders in Counter(status for status, _ in decided).items():
        DECIDED.add(orders, {"outcome": outcome})
    for _, waited in decided:
        TIME_TO_DECIDE.record(waited.total_seconds())
