"""What the rules make of Orders' events."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC

from msgspec import convert
from msgspec.structs import asdict

from accounting.domain.lines import Line
from accounting.domain.orders import (
    Cancelled,
    Confirmed,
    Fact,
    Order,
    Payment,
    Placed,
    Rejected,
    Returned,
    Shipped,
    What,
)
from accounting.domain.positions import OPENING
from accounting.domain.shares import Worth, shipping
from chassis.events import Envelope, Event
from contracts.inventory import Condition
from contracts.orders import (
    LineUnits,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    OrderRejected,
    OrderReturned,
    OrderShipped,
)


def read_fact(event: Envelope[Event]) -> Fact | None:
    """What the rules make of an event; None if they make nothing of it."""
    what: What
    match event.data:
        case OrderPlaced() as told:
            what = Placed(order=read_order(told), total=told.total)
            moment = told.placed_at
        case OrderConfirmed() as told:
            what, moment = _confirmed(told), told.decided_at
        case OrderRejected() as told:
            what, moment = Rejected(), told.decided_at
        case OrderShipped() as told:
            what, moment = _shipped(told), told.shipped_at
        case OrderCancelled() as told:
            what, moment = Cancelled(units=_units(told.lines)), told.cancelled_at
        case OrderReturned() as told:
            what, moment = _returned(told), told.received_at
        case _:
            return None
    return Fact(event_id=event.id, happened_on=moment.astimezone(UTC).date(), what=what)


def _units(lines: Iterable[LineUnits]) -> Mapping[int, int]:
    """Per line: what comes back in two conditions names its line twice."""
    units: Counter[int] = Counter()
    for line in lines:
        units[line.line] += line.quantity
    return {number: quantity for number, quantity in units.items() if quantity}


def _confirmed(decided: OrderConfirmed) -> Confirmed:
    return Confirmed(
        confirmed={line.line: line.confirmed for line in decided.lines},
        short={line.line: line.short for line in decided.lines if line.short},
    )


def _shipped(shipped: OrderShipped) -> Shipped:
    return Shipped(
        units=_units(shipped.lines),
        worth=tuple(
            Worth(cost=line.cost, currency=line.cost_currency) for line in shipped.lines
        ),
    )


def _returned(returned: OrderReturned) -> Returned:
    return Returned(
        units=_units(returned.lines),
        worth=tuple(
            Worth(
                cost=line.cost,
                scrapped=line.cost if line.condition is Condition.DAMAGED else 0,
                currency=line.cost_currency,
            )
            for line in returned.lines
        ),
    )


def read_order(placed: OrderPlaced) -> Order:
    return Order(
        id=placed.order_id,
        number=placed.number,
        channel=placed.channel,
        customer_id=placed.customer_id,
        currency=placed.currency,
        lines=convert(placed.lines, tuple[Line, ...], from_attributes=True),
        shipping=shipping(**asdict(placed.shipping)),
        payment=Payment(
            method=placed.payment.method,
            provider=placed.payment.provider,
            reference=placed.payment.reference,
            net_days=placed.payment.net_days,
        ),
        ship_to=asdict(placed.ship_to),
        placed_on=placed.placed_at.astimezone(UTC).date(),
        position=OPENING[placed.payment.method],
    )
