"""Orders and what is said about them: complete, unless the test says otherwise."""

from collections.abc import Iterable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from chassis.events import Envelope, Event, to_wire
from contracts.accounting import (
    InvoiceIssued,
    PaymentPosition,
    PaymentStatus,
    RefundRequested,
)
from contracts.inventory import ReservationChanged
from contracts.inventory import ReservedLine as AnnouncedLine
from contracts.orders import Channel, PaymentMethod, Policy
from orders.api.bodies import EXAMPLE
from orders.domain.orders import (
    Address,
    Line,
    Order,
    Payment,
    ReservedLine,
    Shipping,
    Snapshot,
)

NOW = datetime(2026, 2, 14, 9, 30, tzinfo=UTC)
LATER = NOW + timedelta(seconds=3)


def a_line(line: int = 1, quantity: int = 2, **changes: Any) -> Line:
    asked: dict[str, Any] = {
        "line": line,
        "sku": "SOAP-5L",
        "quantity": quantity,
        "unit_price": 1250,
        "discount": 0,
        "tax": 475,
        "tax_rate": "19.00",
        "pending": quantity,
    }
    return Line(**(asked | changes))


def prepaid(captured: int, reference: str | None = None) -> Payment:
    return Payment(
        method=PaymentMethod.PREPAID,
        provider="acme-pay",
        reference=reference or uuid4().hex,
        captured=captured,
        status=PaymentStatus.CAPTURED,
    )


def on_terms(net_days: int = 30) -> Payment:
    return Payment(
        method=PaymentMethod.TERMS, net_days=net_days, status=PaymentStatus.DUE
    )


def an_order(*lines: Line, **changes: Any) -> Order:
    """An order as it is asked for: placed now, with a sum that is right."""
    lines = lines or (a_line(),)
    total = sum(line.gross - line.discount + line.tax for line in lines) + 583
    asked: dict[str, Any] = {
        "id": uuid4(),
        "client": "storefront",
        "fingerprint": uuid4().bytes,
        "channel": Channel.WEB,
        "customer_id": "c-42",
        "reference": "cart-9f",
        "currency": "EUR",
        "policy": Policy.ALL_OR_NOTHING,
        "lines": lines,
        "shipping": Shipping(price=490, tax=93, tax_rate=None),
        "ship_to": Address(
            name="Ada Byron",
            line1="1 Quay St",
            line2=None,
            city="Cork",
            region=None,
            postal_code="T12",
            country="IE",
        ),
        "payment": prepaid(total),
        "hold_id": None,
        "total": total,
        "placed_at": NOW,
        "updated_at": NOW,
    }
    return Order(**(asked | changes))


def units(requested: int = 2, **where: int) -> ReservedLine:
    nowhere = dict.fromkeys(
        ("reserved", "backordered", "shipped", "released", "returned"), 0
    )
    return ReservedLine(requested=requested, **(nowhere | where))


def a_snapshot(*lines: ReservedLine, version: int = 1) -> Snapshot:
    return Snapshot(version=version, lines=dict(enumerate(lines, start=1)))


def arrived(*events: Event) -> list[Envelope[Any]]:
    return [
        Envelope(
            id=uuid4(),
            source="orderly/elsewhere",
            subject="subject",
            time=NOW,
            sequence=None,
            traceparent=None,
            data=event,
        )
        for event in events
    ]


def on_the_wire(*events: Event) -> str:
    """A message with these events, as a relay sends it."""
    wired = [
        to_wire(
            id=uuid4(),
            source="orderly/elsewhere",
            type=event.type,
            subject="subject",
            time=datetime.now(UTC),
            sequence=None,
            traceparent=None,
            data=event.model_dump_json(),
        )
        for event in events
    ]
    return f"[{','.join(wired)}]"


def reservation_changed(
    order_id: UUID, *lines: ReservedLine, version: int = 1
) -> ReservationChanged:
    return ReservationChanged(
        order_id=order_id,
        version=version,
        cause="order_placed",
        lines=tuple(_announced(lines)),
    )


def _announced(lines: Iterable[ReservedLine]) -> Iterable[AnnouncedLine]:
    for number, line in enumerate(lines, start=1):
        yield AnnouncedLine(
            line=number,
            requested=line.requested,
            reserved=line.reserved,
            backordered=line.backordered,
            shipped=line.shipped,
            released=line.released,
            returned=line.returned,
            cost_shipped=0,
            cost_returned=0,
        )


def invoice_issued(
    order_id: UUID, status: PaymentStatus, *, version: int
) -> InvoiceIssued:
    return InvoiceIssued(
        order_id=order_id,
        number="INV-2026-000001",
        customer_id="c-42",
        currency="EUR",
        total=3558,
        issued_on=NOW.date(),
        due_on=NOW.date(),
        payment=PaymentPosition(version=version, status=status),
    )


def refund_requested(
    order_id: UUID, status: PaymentStatus, *, version: int
) -> RefundRequested:
    return RefundRequested(
        order_id=order_id,
        refund_id=uuid4(),
        amount=3558,
        currency="EUR",
        provider="acme-pay",
        reference="pay_77",
        payment=PaymentPosition(version=version, status=status),
    )


def a_body(**changes: Any) -> dict[str, Any]:
    """What a storefront sends."""
    body: dict[str, Any] = deepcopy(EXAMPLE)
    body["payment"]["reference"] = uuid4().hex
    return body | changes
