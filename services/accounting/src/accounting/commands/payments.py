"""A customer on terms pays."""

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

from msgspec import Struct

from accounting.commands.announcing import invoice_paid
from accounting.domain.bookkeeping import Books
from accounting.domain.money import Money, spread
from accounting.domain.orders import Order
from accounting.domain.rules import PAYMENT_RECEIVED
from accounting.store import journal, orders, payments, receivables
from accounting.store.payments import Allocation, Payment
from accounting.store.receivables import Payable
from chassis import outbox
from chassis.database import Tx
from chassis.errors import Fault, Unprocessable


class InvoicesNotPayable(Unprocessable):
    """An invoice is not the customer's, or in another currency, or there is none."""

    code = "invoices_not_payable"


class Received(Struct, frozen=True, kw_only=True):
    """Money on the bank account, and what the customer says it is for."""

    id: UUID
    customer_id: str
    amount: int
    currency: str
    reference: str
    invoices: tuple[str, ...]
    received_on: date


async def record_payment(tx: Tx, received: Received) -> Payment:
    """Allocate a payment to invoices in the order given; the rest stays a credit."""
    invoices = await _held(tx, received)
    amounts = spread(received.amount, [invoice.open for invoice in invoices])
    payment = _payment(received, invoices, amounts)
    allocated = [
        (invoice, amount)
        for invoice, amount in zip(invoices, amounts, strict=True)
        if amount
    ]
    of_document = [(invoice.id, amount) for invoice, amount in allocated]
    await payments.add(tx, payment, of_document)
    await receivables.pay(tx, dict(of_document))
    paid = await _note_orders(tx, allocated)
    await _post(tx, received)
    await outbox.publish(
        tx,
        [
            invoice_paid(invoice, amount, received.received_on, paid[invoice.order_id])
            for invoice, amount in allocated
        ],
    )
    return payment


async def _held(tx: Tx, received: Received) -> list[Payable]:
    """The invoices as they stand, held until the transaction ends with their orders."""
    found = await receivables.find_invoices(tx, received.invoices)
    _check(received, found)
    await orders.hold(tx, {invoice.order_id for invoice in found.values()})
    held = await receivables.find_invoices(tx, received.invoices)
    return [held[number] for number in received.invoices]


def _check(received: Received, found: Mapping[str, Payable]) -> None:
    faults = [
        Fault(f"/invoices/{place}", detail)
        for place, number in enumerate(received.invoices)
        if (detail := _fault(received, place, found.get(number)))
    ]
    if faults:
        raise InvoicesNotPayable(
            "The payment cannot be allocated to these invoices.", faults=faults
        )


def _fault(received: Received, place: int, invoice: Payable | None) -> str | None:
    if invoice is None or invoice.customer_id != received.customer_id:
        return "the customer has no such invoice"
    if invoice.currency != received.currency:
        return f"this invoice is in {invoice.currency}"
    if invoice.number in received.invoices[:place]:
        return "this invoice is named twice"
    return None


def _payment(
    received: Received, invoices: Sequence[Payable], amounts: Sequence[int]
) -> Payment:
    return Payment(
        id=received.id,
        customer_id=received.customer_id,
        amount=received.amount,
        currency=received.currency,
        reference=received.reference,
        received_on=received.received_on,
        unallocated=received.amount - sum(amounts),
        allocations=tuple(
            Allocation(invoice=invoice.number, amount=amount)
            for invoice, amount in zip(invoices, amounts, strict=True)
            if amount
        ),
    )


async def _note_orders(
    tx: Tx, allocated: Sequence[tuple[Payable, int]]
) -> Mapping[UUID, Order]:
    before = await orders.get(tx, {invoice.order_id for invoice, _ in allocated})
    after = dict(before)
    for invoice, amount in allocated:
        after[invoice.order_id] = after[invoice.order_id].reckon(paid=amount)
    await orders.save(tx, before, after.values())
    return after


async def _post(tx: Tx, received: Received) -> None:
    books = Books()
    books.enter_moved(
        PAYMENT_RECEIVED,
        [Money(amount=received.amount, currency=received.currency)],
        event_id=received.id,
        happened_on=received.received_on,
    )
    await journal.add(tx, books.entries)
