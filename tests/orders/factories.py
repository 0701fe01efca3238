"""Orders and what is said about them: complete, unless the test says otherwise."""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from msgspec import convert, json, to_builtins

from chassis.events import Envelope, Event, to_wire
from contracts.accounting import (
    InvoiceIssued,
    PaymentPosition,
    PaymentStatus,
    RefundRequested,
)
from contracts.inventory import Condition, ReservationChanged
from contracts.inventory import ReservedLine as AnnouncedLine
from contracts.orders import Channel, PaymentMethod, Policy
from orders.api.bodies import EXAMPLE
from orders.domain.cancellations import Cancellation, request_cancellation
from orders.domain.lines import Line, Units
from orders.domain.orders import Address, Order, Payment, Shipping
from orders.domain.returns import Return, authorise_return
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


def a_snapshot(*lines: ReservedLine, version: int = 1, **lists: Any) -> Snapshot:
    """What has shipped or come back did so at once, unless the lists say otherwise."""
    by_line = dict(enumerate(lines, start=1))
    shipped = {n: line.shipped for n, line in by_line.items() if line.shipped}
    returned = {n: line.returned for n, line in by_line.items() if line.returned}
    told: dict[str, Any] = {
        "shipments": (a_shipment(shipped),) if shipped else (),
        "receipts": (a_receipt(returned),) if returned else (),
    }
    return Snapshot(version=version, lines=by_line, **(told | lists))


def a_shipment(shipped: Mapping[int, int], **changes: Any) -> Shipment:
    left: dict[str, Any] = {
        "shipment_id": uuid4(),
        "carrier": "DHL",
        "tracking": "JD014600",
        "lines": tuple(
            MovedLine(line=line, quantity=units, cost=units * 690, cost_currency="EUR")
            for line, units in shipped.items()
        ),
        "shipped_at": NOW,
    }
    return Shipment(**(left | changes))


def a_receipt(returned: Mapping[int, int], **changes: Any) -> Receipt:
    came: dict[str, Any] = {
        "receipt_id": uuid4(),
        "return_id": uuid4(),
        "lines": tuple(
            ReturnedLine(
                line=line,
                quantity=units,
                cost=units * 690,
                cost_currency="EUR",
                condition=Condition.RESELLABLE,
            )
            for line, units in returned.items()
        ),
        "received_at": NOW,
    }
    return Receipt(**(came | changes))


def an_answer(cancellation: Cancellation, released: Mapping[int, int]) -> Answer:
    """So many units of what was asked for."""
    return Answer(
        cancellation_id=cancellation.id,
        lines=tuple(
            ReleasedLine(
                line=line.line,
                asked=line.quantity,
                released=released.get(line.line, 0),
            )
            for line in cancellation.lines
        ),
    )


def some(units: Mapping[int, int]) -> tuple[Units, ...]:
    return tuple(Units(line=line, quantity=n) for line, n in units.items())


def asking(
    order: Order,
    units: Mapping[int, int] | None = None,
    others: Sequence[Cancellation] = (),
) -> tuple[Order, Cancellation]:
    """The order with these units, or all, asked to be cancelled."""
    wanted = None if units is None else some(units)
    asking, cancellation, _ = request_cancellation(
        order, wanted, others, id=uuid4(), reason=None, at=LATER
    )
    return asking, cancellation


def authorising(
    order: Order, units: Mapping[int, int], others: Sequence[Return] = ()
) -> tuple[Order, Return]:
    authorising, authorised, _ = authorise_return(
        order, some(units), others, id=uuid4(), reason=None, at=LATER
    )
    return authorising, authorised


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
            data=json.encode(event).decode(),
        )
        for event in events
    ]
    return f"[{','.join(wired)}]"


def reservation_changed(
    order_id: UUID, *lines: ReservedLine, version: int = 1, **lists: Any
) -> ReservationChanged:
    return announced(order_id, a_snapshot(*lines, version=version, **lists))


def announced(order_id: UUID, snapshot: Snapshot) -> ReservationChanged:
    """The snapshot as Inventory announces it."""
    return convert(
        {
            "order_id": order_id,
            "version": snapshot.version,
            "cause": "order_placed",
            "lines": tuple(_announced(snapshot.lines.items())),
            "cancellations": tuple(map(to_builtins, snapshot.answers)),
            "shipments": tuple(map(to_builtins, snapshot.shipments)),
            "returns": tuple(map(to_builtins, snapshot.receipts)),
        },
        ReservationChanged,
    )


def _announced(lines: Iterable[tuple[int, ReservedLine]]) -> Iterable[AnnouncedLine]:
    for number, line in lines:
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
            cost_currency="EUR",
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
