"""Invoices (and what corrects them), and refunds."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from enum import StrEnum
from uuid import UUID

from msgspec import Struct

from accounting.domain.orders import Fact, Order
from accounting.domain.shares import Item, Share
from contracts.orders import PaymentMethod


class Series(StrEnum):
    """Each is numbered on its own, from 1 every year."""

    INVOICE = "INV"
    CREDIT_NOTE = "CRN"


class TaxOfRate(Struct, frozen=True, kw_only=True):
    rate: str | None
    net: int
    tax: int


class Document(Struct, frozen=True, kw_only=True):
    """What a customer is given. It gets its number when it is stored, or soon after.

    `paid` of a credit note is what was given back: a prepaid one's money goes back.
    """

    series: Series
    order_id: UUID
    source_event_id: UUID
    customer_id: str
    currency: str
    issued_on: date
    due_on: date
    lines: tuple[Item, ...]
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
        lines=share.items,
        taxes=_taxes(share.items),
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


def _taxes(items: Iterable[Item]) -> tuple[TaxOfRate, ...]:
    """One row a rate, as the lines have them; no rate is a row of its own."""
    sums: dict[str | None, tuple[int, int]] = {}
    for item in items:
        net, tax = sums.get(item.tax_rate, (0, 0))
        sums[item.tax_rate] = net + item.net, tax + item.tax
    taxes = [
        TaxOfRate(rate=rate, net=net, tax=tax) for rate, (net, tax) in sums.items()
    ]
    return tuple(taxes)


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
