"""What Inventory does when it hears of an order."""

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias
from uuid import UUID

from chassis.database import Tx
from chassis.events import Envelope, Router
from contracts.orders import OrderCancellationRequested, OrderPlaced
from inventory.commands.reservations import reserve_orders
from inventory.domain.cancellations import CancellationRequest
from inventory.domain.reservations import Cause, Line, Reservation

OrderEvent: TypeAlias = Envelope[OrderPlaced | OrderCancellationRequested]

router = Router()


@router.on(OrderPlaced, OrderCancellationRequested)
async def follow_orders(tx: Tx, events: Sequence[OrderEvent]) -> None:
    """A cancellation of an order in the same batch has overtaken it, as it might have
    anyway.
    """
    # The watchdog announces an undecided order again, under a new event id; and what
    # is asked again is answered again: but neither of them twice at once.
    placed: dict[UUID, OrderPlaced] = {}
    asked: dict[UUID, OrderCancellationRequested] = {}
    for event in events:
        if isinstance(event.data, OrderPlaced):
            placed[event.data.order_id] = event.data
        else:
            asked[event.data.cancellation_id] = event.data
    await reserve_orders(
        tx, [*map(_reservation, placed.values())], [*map(_request, asked.values())]
    )


def _request(event: OrderCancellationRequested) -> CancellationRequest:
    units: Counter[int] = Counter()
    for line in event.lines:
        units[line.line] += line.quantity
    return CancellationRequest(
        cancellation_id=event.cancellation_id, order_id=event.order_id, units=units
    )


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
