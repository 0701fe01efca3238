"""What Inventory does when it hears of an order."""

from chassis.database import Tx
from chassis.events import Envelope, Router
from contracts.orders import OrderPlaced
from inventory.commands import reservations
from inventory.domain.reservations import Cause, Line, Reservation

router = Router()


@router.on(OrderPlaced)
async def reserve_orders(tx: Tx, events: list[Envelope[OrderPlaced]]) -> None:
    # The watchdog announces an undecided order again, under a new event id.
    placed = {event.data.order_id: event.data for event in events}
    await reservations.reserve_orders(tx, [_reservation(o) for o in placed.values()])


def _reservation(order: OrderPlaced) -> Reservation:
    """What the order asks for; nothing of it is kept yet."""
    return Reservation(
        order_id=order.order_id,
        version=0,
        policy=order.policy,
        placed_at=order.placed_at,
        cause=Cause.ORDER_PLACED,
        hold_id=order.hold_id,
        lines=tuple(
            Line(line=line.line, sku=line.sku, requested=line.quantity)
            for line in order.lines
        ),
    )
