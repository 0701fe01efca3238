"""Events of orders and goods, complete unless the test says otherwise."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

from chassis.events import Envelope, Event
from contracts.inventory import (
    Condition,
    ProductChanged,
    ReceivedGoods,
    StockAdjusted,
    StockReceived,
)
from contracts.orders import (
    Address,
    Channel,
    DecidedLine,
    LineUnits,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    OrderRejected,
    OrderReturned,
    OrderShipped,
    Payment,
    PaymentMethod,
    PlacedLine,
    Policy,
    ReturnedLine,
    ShippedLine,
    Shipping,
)

E = TypeVar("E", bound=Event)

AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
PREPAID = Payment(
    method=PaymentMethod.PREPAID, provider="acme-pay", reference="pay_77", captured=0
)
TERMS = Payment(method=PaymentMethod.TERMS, net_days=30)
# 3 at 3.33 less 1.00, with 1.70 of tax: nothing of it divides by three.
UNEVEN = PlacedLine(
    line=1, sku="SOAP", quantity=3, unit_price=333, discount=100, tax=170
)


def a_line(line: int = 1, **changes: Any) -> PlacedLine:
    """Two at 12.50 with 19 % of tax."""
    told: dict[str, Any] = {
        "line": line,
        "sku": f"SKU-{line}",
        "quantity": 2,
        "unit_price": 1250,
        "discount": 0,
        "tax": 475,
        "tax_rate": "19.00",
    }
    return PlacedLine(**told | changes)


def an_order(*lines: PlacedLine, **changes: Any) -> OrderPlaced:
    """The design's example: 25.00 of goods, 4.90 of shipping, 5.68 of tax."""
    content: dict[str, Any] = {
        "order_id": uuid4(),
        "number": "W-1000042",
        "channel": Channel.WEB,
        "customer_id": "c-42",
        "reference": "cart-9f",
        "currency": "EUR",
        "policy": Policy.ALLOW_PARTIAL,
        "lines": lines or (a_line(),),
        "shipping": Shipping(price=490, tax=93, tax_rate="19.00"),
        "ship_to": Address(
            name="Ada Byron",
            line1="1 Quay St",
            city="Cork",
            postal_code="T12",
            country="IE",
        ),
        "payment": PREPAID,
        "hold_id": None,
        "placed_at": AT,
    } | changes
    shipping = content["shipping"]
    total = shipping.price + shipping.tax
    for one in content["lines"]:
        total += one.quantity * one.unit_price - one.discount + one.tax
    return OrderPlaced(**{"total": total} | content)


def confirmed(placed: OrderPlaced, short: Mapping[int, int] | None = None) -> Event:
    short = short or {}
    return OrderConfirmed(
        order_id=placed.order_id,
        lines=tuple(
            DecidedLine(
                line=line.line,
                confirmed=line.quantity - short.get(line.line, 0),
                short=short.get(line.line, 0),
            )
            for line in placed.lines
        ),
        decided_at=AT,
    )


def rejected(placed: OrderPlaced) -> Event:
    return OrderRejected(order_id=placed.order_id, decided_at=AT)


def shipped(
    placed: OrderPlaced,
    units: Mapping[int, int],
    *,
    cost: int = 0,
    currency: str | None = None,
) -> Event:
    """Units of each line; each of them is worth `cost`, in the order's currency."""
    return OrderShipped(
        order_id=placed.order_id,
        shipment_id=uuid4(),
        carrier=None,
        tracking=None,
        lines=tuple(
            ShippedLine(
                line=line,
                quantity=quantity,
                cost=quantity * cost,
                cost_currency=currency,
            )
            for line, quantity in units.items()
        ),
        shipped_at=AT,
    )


def cancelled(placed: OrderPlaced, units: Mapping[int, int]) -> Event:
    return OrderCancelled(
        order_id=placed.order_id,
        cancellation_id=uuid4(),
        lines=tuple(LineUnits(line=n, quantity=q) for n, q in units.items()),
        complete=True,
        cancelled_at=AT,
    )


def returned(
    placed: OrderPlaced,
    *lines: tuple[int, int, Condition],
    cost: int = 0,
    currency: str | None = None,
) -> Event:
    """Units of a line and how they came back; each of them is worth `cost`."""
    return OrderReturned(
        order_id=placed.order_id,
        return_id=uuid4(),
        receipt_id=uuid4(),
        lines=tuple(
            ReturnedLine(
                line=line,
                quantity=quantity,
                condition=condition,
                cost=quantity * cost,
                cost_currency=currency,
            )
            for line, quantity, condition in lines
        ),
        received_at=AT,
    )


def goods(**changes: Any) -> ReceivedGoods:
    """Ten, valued at 6.40 each, for which 6.50 was paid."""
    told: dict[str, Any] = {
        "sku": "SOAP",
        "quantity": 10,
        "unit_cost": 650,
        "standard_cost": 640,
        "currency": "EUR",
    }
    return ReceivedGoods(**told | changes)


def a_receipt(*lines: ReceivedGoods) -> StockReceived:
    return StockReceived(
        receipt_id=uuid4(),
        location="cork",
        reference="truck",
        lines=lines or (goods(),),
        received_at=AT,
    )


def a_product(**changes: Any) -> ProductChanged:
    """Ten on hand, worth 6.40 each instead of 6.00 now."""
    told: dict[str, Any] = {
        "sku": "SOAP",
        "version": 2,
        "name": "Soap, 5 l",
        "unit_cost": 640,
        "currency": "EUR",
        "previous_unit_cost": 600,
        "on_hand": 10,
        "changed_at": AT,
    }
    return ProductChanged(**told | changes)


def an_adjustment(delta: int) -> StockAdjusted:
    """Found or missing, worth 6.40 each."""
    return StockAdjusted(
        adjustment_id=uuid4(),
        location="cork",
        sku="SOAP",
        delta=delta,
        reason="counted",
        standard_cost=640,
        currency="EUR",
        adjusted_at=AT,
    )


def facts_of(order_id: UUID, *facts: Event) -> list[Envelope[Event]]:
    """An order's facts as they arrive, numbered from 1."""
    return [
        arriving(fact, subject=str(order_id), sequence=number)
        for number, fact in enumerate(facts, start=1)
    ]


def story(placed: OrderPlaced, *then: Event) -> list[Envelope[Event]]:
    return facts_of(placed.order_id, placed, *then)


def arriving(fact: E, *, subject: str = "", sequence: int | None = None) -> Envelope[E]:
    return Envelope(
        id=uuid4(),
        source="orderly/tests",
        subject=subject,
        time=AT,
        sequence=sequence,
        traceparent=None,
        data=fact,
    )


def stories(*orders: Sequence[Envelope[Event]]) -> list[Envelope[Event]]:
    return [fact for facts in orders for fact in facts]
