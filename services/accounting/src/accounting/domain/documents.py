"""Invoices (and what corrects them), and refunds."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from enum import StrEnum
from uuid import UUID

from msgspec import Struct

from accounting.domain.orders import Fact, Order
from accounting.domain.shares import Share
from contracts.orders import PaymentMethod


class Series(StrEnum):
    """Each is numbered on its own, from 1 every year."""

    INVOICE = "INV"
    CREDIT_NOTE = "CRN"


class DocumentLine(Struct, frozen=True, kw_only=True):
    line: int | None
    sku: str | None
    description: str
    quantity: int
    unit_price: int
    discount: int
    tax_rate: str | None
    net: int
    tax: int


class TaxOfRate(Struct, frozen=True, kw_only=True):
    rate: str | None
    net: int
    tax: int


class Document(Struct, frozen=True, kw_only=True):
    """What a customer is given. It gets its number after it is stored.

    `paid` of a credit note is what was given back: a prepaid one's money goes back.
    """

    series: Series
    order_id: UUID
    source_event_id: UUID
    customer_id: str
    currency: str
    issued_on: date
    due_on: date
    lines: tuple[DocumentLine, ...]
    taxes: tuple[TaxOfRate, ...]
    net: int
    tax: int
    total: int
    paid: int


def document(series: Series, order: Order, fact: Fact, share: Share) -> Document:
    """Dated as it is posted, so that a document and its entry are of one period."""
    payment = order.payment
    days = payment.net_days or 0 if series is Series.INVOICE else 0
    return Document(
        series=series,
        order_id=order.id,
        source_event_id=fact.event_id,
        customer_id=order.customer_id,
        currency=order.currency,
        issued_on=fact.happened_on,
        due_on=fact.happened_on + timedelta(days=days),
        lines=_lines(share),
        taxes=_taxes(share),
        net=share.net_and_shipping,
        tax=share.tax,
        total=share.total,
        paid=share.total if payment.method is PaymentMethod.PREPAID else 0,
    )


def corrected(
    note: Document, earlier: Iterable[Document], invoices: Mapping[str, Document]
) -> tuple[str, ...]:
    """The numbers of the invoices that a credit note is about.

    Both in the order in which they were issued: what comes back was shipped first, and
    so invoiced first, and earlier notes have had the units before.
    """
    taken = sum((_units(one) for one in earlier), Counter[int]())
    credited = _units(note)
    found = []
    invoiced: Counter[int] = Counter()
    for number, invoice in invoices.items():
        before, invoiced = invoiced, invoiced + _units(invoice)
        if any(
            max(before[line], taken[line]) < min(invoiced[line], taken[line] + units)
            for line, units in credited.items()
        ):
            found.append(number)
    return tuple(found)


def _units(document: Document) -> Counter[int]:
    return Counter(
        {line.line: line.quantity for line in document.lines if line.line is not None}
    )


def _lines(share: Share) -> tuple[DocumentLine, ...]:
    return tuple(
        DocumentLine(
            line=item.line,
            sku=item.sku,
            description=item.sku or "Shipping",
            quantity=item.quantity,
            unit_price=item.unit_price,
            discount=item.discount,
            tax_rate=item.tax_rate,
            net=item.net,
            tax=item.tax,
        )
        for item in share.items
    )


def _taxes(share: Share) -> tuple[TaxOfRate, ...]:
    """One row a rate, as the lines have them; no rate is a row of its own."""
    nets: defaultdict[str | None, int] = defaultdict(int)
    taxes: defaultdict[str | None, int] = defaultdict(int)
    for item in share.items:
        nets[item.tax_rate] += item.net
        taxes[item.tax_rate] += item.tax
    return tuple(
        TaxOfRate(rate=rate, net=net, tax=taxes[rate]) for rate, net in nets.items()
    )


class RefundStatus(StrEnum):
    REQUESTED = "requested"
    SETTLED = "settled"
    FAILED = "failed"


class Refund(Struct, frozen=True, kw_only=True):
    """Money that goes back the way it came."""

    order_id: UUID
    source_event_id: UUID
    amount: int
    currency: str
    provider: str
    reference: str
