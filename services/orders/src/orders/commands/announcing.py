"""The domain's facts as the events that other services hear."""

from collections.abc import Iterable, Mapping

from chassis import outbox
from chassis.database import Tx
from chassis.events import Announcement, Event
from contracts.orders import (
    OrderCancellationRefused,
    OrderCancellationRequested,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    OrderRejected,
    OrderReturned,
    OrderShipped,
    ReturnAuthorized,
)
from orders.domain.facts import (
    CancellationRefused,
    CancellationRequested,
    Cancelled,
    Confirmed,
    Fact,
    Numbered,
    Rejected,
    ReturnAuthorised,
    Returned,
    Shipped,
)
from orders.domain.orders import Order

EVENTS: Mapping[type[Fact], type[Event]] = {
    Confirmed: OrderConfirmed,
    Rejected: OrderRejected,
    CancellationRequested: OrderCancellationRequested,
    Cancelled: OrderCancelled,
    CancellationRefused: OrderCancellationRefused,
    Shipped: OrderShipped,
    ReturnAuthorised: ReturnAuthorized,
    Returned: OrderReturned,
}


async def announce(tx: Tx, facts: Iterable[Numbered]) -> None:
    await outbox.publish(tx, [_announcement(*numbered) for numbered in facts])


def placed(order: Order) -> Announcement:
    """That the order was placed: its first fact, however late it is told again."""
    return Announcement(order, str(order.id), sequence=1, kind=OrderPlaced)


def _announcement(sequence: int, fact: Fact) -> Announcement:
    return Announcement(fact, str(fact.order_id), sequence, kind=EVENTS[type(fact)])
