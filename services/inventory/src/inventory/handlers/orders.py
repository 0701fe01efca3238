"""What Inventory does when it hears of an order."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from chassis.database import Tx
from chassis.events import Envelope, Router
from contracts.orders import OrderCancellationRequested, OrderPlaced
from inventory.commands import reservations
from inventory.commands.cancelling import cancel_units
from inventory.commands.locking import hold_orders
from inventory.domain.cancellations import CancellationRequest
from inventory.domain.reservations import Cause, Line, Reservation
from inventory.store import holds

OrderEvent: TypeAlias = Envelope[OrderPlaced | OrderCancellationRequested]

router = Router()


@router.on(OrderPlaced, OrderCancellationRequested)
async def follow_orders(tx: Tx, events: Sequence[OrderEvent]) -> None:
    """Cancellations first: what they release, or spare, is there for the orders.

    One of an order in the same batch has overtaken it, as it might have anyway.
    """
    placed = [event.data for event in events if isinstance(event.data, OrderPlaced)]
    asked = [
        event.data
        for event in events
        if isinstance(event.data, OrderCancellationRequested)
    ]
    if placed and asked:
        await _hold_together(tx, placed, asked)
    # Backorders are filled once, at the end: their orders are locked in one order too.
    freed = await _cancel(tx, asked, fill=not placed) if asked else {}
    if placed:
        await _reserve(tx, placed, freed)


async def _hold_together(
    tx: Tx,
    placed: Sequence[OrderPlaced],
    asked: Sequence[OrderCancellationRequested],
) -> None:
    """Take all locks at once: one after the other, they would not be in order."""
    order_ids = {order.order_id for order in placed} | {o.order_id for o in asked}
    skus = {line.sku for order in placed for line in order.lines}
    named = {order.hold_id for order in placed if order.hold_id}
    await hold_orders(tx, order_ids, also=skus | await holds.find_skus(tx, named))


async def _cancel(
    tx: Tx, asked: Sequence[OrderCancellationRequested], *, fill: bool
) -> Mapping[str, int]:
    # What is asked again is answered again, but not twice at once.
    distinct = {event.cancellation_id: event for event in asked}
    requests = [_request(event) for event in distinct.values()]
    return await cancel_units(tx, requests, fill=fill)


def _request(event: OrderCancellationRequested) -> CancellationRequest:
    units: Counter[int] = Counter()
    for line in event.lines:
        units[line.line] += line.quantity
    return CancellationRequest(
        cancellation_id=event.cancellation_id, order_id=event.order_id, units=units
    )


async def _reserve(
    tx: Tx, orders: Sequence[OrderPlaced], freed: Mapping[str, int]
) -> None:
    # The watchdog announces an undecided order again, under a new event id.
    placed = {order.order_id: order for order in orders}
    new = [_reservation(order) for order in placed.values()]
    await reservations.reserve_orders(tx, new, freed)


def _reservation(order: OrderPlaced) -> Reservation:
    """What the order asks for; nothing of it is kept yet."""
    return Reservation(
        order_id=order.order_id,
        version=0,
        policy=order.policy,
        placed_at=order.placed_at,
        cause=Cause.ORDER_PLACED,
        hold_id=order.hold_id,
        customer_id=order.customer_id,
        lines=tuple(
            Line(line=line.line, sku=line.sku, requested=line.quantity)
            for line in order.lines
        ),
    )
