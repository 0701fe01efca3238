"""The facts of orders, posted in the sequence in which they happened."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from uuid import UUID

from accounting.domain.bookkeeping import Books
from accounting.domain.orders import (
    OPENING,
    Confirmed,
    Fact,
    Line,
    Order,
    Payment,
    Placed,
    Rejected,
    What,
    in_turn,
)
from accounting.domain.shares import shipping
from accounting.store import documents, journal, orders, refunds
from chassis import outbox
from chassis.database import Tx, announce
from chassis.events import Announcement, Envelope, Event, Router
from contracts.accounting import PaymentPosition, RefundRequested
from contracts.orders import EVENTS, OrderConfirmed, OrderPlaced, OrderRejected

router = Router()

UNNUMBERED = "unnumbered documents"  # told to who listens to commits: the numberer


# All of Orders' facts in one function, also those no rule is about: they are applied in
# their sequence, and each takes its place in it.
@router.on(*EVENTS)
async def post_orders(tx: Tx, events: list[Envelope[Event]]) -> None:
    applied = await orders.hold(tx, {_order_id(event) for event in events})
    parked = await orders.take_parked(tx, applied)
    turns = _turns(applied, [*parked, *events])
    await orders.park(tx, [event for _, early in turns.values() for event in early])

    due = {order_id: facts for order_id, (facts, _) in turns.items() if facts}
    await orders.move_cursors(tx, {id_: applied[id_] + len(due[id_]) for id_ in due})
    await _post(tx, due, begun={id_ for id_ in due if applied[id_]})


def _order_id(event: Envelope[Event]) -> UUID:
    return UUID(event.subject)


def _turns(
    applied: Mapping[UUID, int], events: Iterable[Envelope[Event]]
) -> dict[UUID, tuple[list[Envelope[Event]], list[Envelope[Event]]]]:
    """Per order the facts whose turn it is, and those that are early."""
    of_order: defaultdict[UUID, list[Envelope[Event]]] = defaultdict(list)
    for event in events:
        of_order[_order_id(event)].append(event)
    return {
        order_id: in_turn(applied[order_id], facts)
        for order_id, facts in of_order.items()
    }


async def _post(
    tx: Tx, due: Mapping[UUID, list[Envelope[Event]]], begun: set[UUID]
) -> None:
    before = await orders.get(tx, begun)
    books, after = Books(), dict(before)
    for order_id, events in due.items():
        for fact in filter(None, map(read_fact, events)):
            after[order_id] = books.enter(after.get(order_id), fact)
    await orders.save(tx, before, after.values())
    await journal.add(tx, books.entries)
    await documents.add(tx, books.documents)
    requested = await refunds.add(tx, books.refunds)
    await outbox.publish(
        tx, [_announced(one, after[one.refund.order_id]) for one in requested]
    )
    if books.documents:
        announce(tx, [UNNUMBERED])


def _announced(requested: refunds.Requested, order: Order) -> Announcement:
    refund, position = requested.refund, order.position
    return Announcement(
        RefundRequested(
            order_id=refund.order_id,
            refund_id=requested.id,
            amount=refund.amount,
            currency=refund.currency,
            provider=refund.provider,
            reference=refund.reference,
            payment=PaymentPosition(version=position.version, status=position.status),
        ),
        subject=str(refund.order_id),
    )


def read_fact(event: Envelope[Event]) -> Fact | None:
    """What the rules make of an event; None if they make nothing of it."""
    match event.data:
        case OrderPlaced() as placed:
            what = Placed(order=read_order(placed), total=placed.total)
            return _on(placed.placed_at, event, what)
        case OrderConfirmed() as decided:
            return _on(decided.decided_at, event, _confirmed(decided))
        case OrderRejected() as decided:
            return _on(decided.decided_at, event, Rejected())
        case _:
            return None


def _on(moment: datetime, event: Envelope[Event], what: What) -> Fact:
    return Fact(event_id=event.id, happened_on=moment.astimezone(UTC).date(), what=what)


def _confirmed(decided: OrderConfirmed) -> Confirmed:
    return Confirmed(
        confirmed={line.line: line.confirmed for line in decided.lines},
        short={line.line: line.short for line in decided.lines},
    )


def read_order(placed: OrderPlaced) -> Order:
    return Order(
        id=placed.order_id,
        number=placed.number,
        channel=placed.channel,
        customer_id=placed.customer_id,
        currency=placed.currency,
        lines=tuple(Line(**line.model_dump()) for line in placed.lines),
        shipping=shipping(**placed.shipping.model_dump()),
        payment=Payment(
            method=placed.payment.method,
            provider=placed.payment.provider,
            reference=placed.payment.reference,
            net_days=placed.payment.net_days,
        ),
        ship_to=placed.ship_to.model_dump(),
        placed_on=placed.placed_at.astimezone(UTC).date(),
        position=OPENING[placed.payment.method],
    )
