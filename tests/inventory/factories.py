"""Complete things, unless the test says otherwise."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

from chassis.database import Tx
from chassis.events import Envelope, Event
from contracts.inventory import Condition, ReservedLine
from contracts.orders import (
    Address,
    Channel,
    LineUnits,
    OrderCancellationRequested,
    OrderPlaced,
    Payment,
    PaymentMethod,
    PlacedLine,
    Policy,
    Shipping,
)
from inventory.commands.products import put_location, put_product
from inventory.commands.stock import receive_goods
from inventory.domain.holds import Hold, HoldLine
from inventory.domain.products import KnownProduct, Location, Product
from inventory.domain.reservations import Cause, Line, Reservation
from inventory.domain.returns import ReturnedParcel, ReturnedUnits
from inventory.domain.shipments import LineUnits as ShippedUnits
from inventory.domain.shipments import Parcel
from inventory.domain.stock import Adjustment, DeliveredLine, Delivery, Shelf

E = TypeVar("E", bound=Event)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def a_product(
    sku: str = "SOAP",
    *,
    name: str = "Soap",
    unit_cost: int = 700,
    currency: str = "EUR",
    reorder_point: int | None = None,
) -> Product:
    return Product(
        sku=sku,
        name=name,
        unit_cost=unit_cost,
        currency=currency,
        reorder_point=reorder_point,
    )


def a_known_product(sku: str = "SOAP") -> KnownProduct:
    return KnownProduct(product=a_product(sku), version=1, changed_at=NOON)


def a_shelf(sku: str, location: str, on_hand: int, reserved: int = 0) -> Shelf:
    return Shelf(sku=sku, location=location, on_hand=on_hand, reserved=reserved)


def an_order(
    *wanted: tuple[str, int],
    policy: Policy = Policy.ALL_OR_NOTHING,
    placed_after_s: int = 0,
    order_id: UUID | None = None,
    hold_id: UUID | None = None,
    customer_id: str = "c-42",
) -> Reservation:
    """What a new order asks for, as (SKU, quantity) a line."""
    return Reservation(
        order_id=order_id or uuid4(),
        version=0,
        policy=policy,
        placed_at=NOON + timedelta(seconds=placed_after_s),
        cause=Cause.ORDER_PLACED,
        lines=tuple(
            Line(line=number, sku=sku, requested=quantity)
            for number, (sku, quantity) in enumerate(wanted, 1)
        ),
        hold_id=hold_id,
        customer_id=customer_id,
    )


def a_hold(
    *wanted: tuple[str, int], expires_in: int = 600, customer_id: str | None = None
) -> Hold:
    """What a checkout asks for at noon; nothing of it is kept yet."""
    return Hold(
        id=uuid4(),
        customer_id=customer_id,
        lines=tuple(HoldLine(sku=sku, quantity=quantity) for sku, quantity in wanted),
        expires_at=NOON + timedelta(seconds=expires_in),
    )


def an_adjustment(
    delta: int, sku: str = "SOAP", *, location: str = "CORK", reason: str = "counted"
) -> Adjustment:
    return Adjustment(
        id=uuid4(),
        location=location,
        sku=sku,
        delta=delta,
        reason=reason,
        adjusted_at=NOON,
    )


def placed(order: Reservation) -> Envelope[OrderPlaced]:
    """The event that tells of this order; each time another one."""
    event = OrderPlaced(
        order_id=order.order_id,
        number="W-1000042",
        channel=Channel.WEB,
        customer_id=order.customer_id or "c-42",
        reference=None,
        currency="EUR",
        policy=order.policy,
        lines=tuple(
            PlacedLine(
                line=line.line,
                sku=line.sku,
                quantity=line.requested,
                unit_price=1250,
                discount=0,
                tax=0,
            )
            for line in order.lines
        ),
        shipping=Shipping(price=0, tax=0),
        ship_to=Address(
            name="Ada Byron",
            line1="1 Quay St",
            city="Cork",
            postal_code="T12",
            country="IE",
        ),
        payment=Payment(method=PaymentMethod.PREPAID, captured=1250),
        hold_id=order.hold_id,
        total=1250,
        placed_at=order.placed_at,
    )
    return _heard(event, order.order_id)


def cancelled(
    order_id: UUID, units: Mapping[int, int], *, cancellation_id: UUID | None = None
) -> Envelope[OrderCancellationRequested]:
    """The event that asks to cancel so many units of each line; another each time."""
    event = OrderCancellationRequested(
        order_id=order_id,
        cancellation_id=cancellation_id or uuid4(),
        lines=tuple(
            LineUnits(line=line, quantity=quantity) for line, quantity in units.items()
        ),
        requested_at=NOON,
    )
    return _heard(event, order_id)


def _heard(event: E, order_id: UUID) -> Envelope[E]:
    return Envelope(
        id=uuid4(),
        source="orderly/orders",
        subject=str(order_id),
        time=datetime.now(UTC),
        sequence=1,
        traceparent=None,
        data=event,
    )


def a_reserved_line(**told: int) -> ReservedLine:
    """The first line of a snapshot, of which nothing has moved."""
    nothing: dict[str, Any] = dict.fromkeys(ReservedLine.__struct_fields__, 0)
    return ReservedLine(**nothing | {"line": 1, "cost_currency": None} | told)


def a_parcel(
    order_id: UUID,
    units: Mapping[int, int] | None = None,
    *,
    carrier: str | None = "An Post",
    tracking: str | None = "CE1",
) -> Parcel:
    """So many units of each line, or all that is kept."""
    lines = units and tuple(
        ShippedUnits(line=line, quantity=quantity) for line, quantity in units.items()
    )
    return Parcel(
        shipment_id=uuid4(),
        order_id=order_id,
        carrier=carrier,
        tracking=tracking,
        lines=lines or None,
        shipped_at=NOON,
    )


def a_return(
    order_id: UUID,
    *units: tuple[int, int, Condition],
    location: str = "CORK",
    return_id: UUID | None = None,
) -> ReturnedParcel:
    """What comes back, as (line, quantity, condition)."""
    return ReturnedParcel(
        receipt_id=uuid4(),
        order_id=order_id,
        return_id=return_id or uuid4(),
        location=location,
        lines=tuple(
            ReturnedUnits(line=line, quantity=quantity, condition=condition)
            for line, quantity, condition in units
        ),
        received_at=NOON,
    )


def a_delivery(
    *goods: tuple[str, int],
    location: str = "CORK",
    reference: str | None = None,
    unit_cost: int | None = None,
) -> Delivery:
    return Delivery(
        id=uuid4(),
        location=location,
        reference=reference,
        lines=tuple(
            DeliveredLine(sku=sku, quantity=quantity, unit_cost=unit_cost)
            for sku, quantity in goods
        ),
        received_at=NOON,
    )


async def stocked(
    tx: Tx, *goods: tuple[str, int], location: str = "CORK", priority: int = 1
) -> None:
    """Have the products, the location, and that much of them there."""
    await put_location(tx, Location(code=location, name=location, priority=priority))
    for sku, _ in goods:
        await put_product(tx, a_product(sku))
    if goods:
        await receive_goods(tx, a_delivery(*goods, location=location), actor="staff")
