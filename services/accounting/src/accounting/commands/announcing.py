"""How what accounting did is told to others."""

from datetime import date, datetime

from accounting.domain.documents import Series
from accounting.domain.orders import Order
from accounting.domain.positions import Position
from accounting.store.documents import Numbered
from accounting.store.receivables import Payable
from accounting.store.refunds import Requested
from chassis.events import Announcement
from contracts.accounting import (
    CreditNoteIssued,
    InvoiceIssued,
    InvoicePaid,
    PaymentPosition,
    RefundRequested,
    RefundSettled,
)


def _position(position: Position) -> PaymentPosition:
    return PaymentPosition(version=position.version, status=position.status)


def document_issued(document: Numbered) -> Announcement:
    issued = (
        _credit_note_issued(document)
        if document.series is Series.CREDIT_NOTE
        else _invoice_issued(document)
    )
    subject = str(document.order_id)
    return Announcement(issued, subject, traceparent=document.traceparent)


def _invoice_issued(invoice: Numbered) -> InvoiceIssued:
    return InvoiceIssued(
        order_id=invoice.order_id,
        number=invoice.number,
        customer_id=invoice.customer_id,
        currency=invoice.currency,
        total=invoice.total,
        issued_on=invoice.issued_on,
        due_on=invoice.due_on,
        payment=_position(invoice.position),
    )


def _credit_note_issued(note: Numbered) -> CreditNoteIssued:
    return CreditNoteIssued(
        order_id=note.order_id,
        number=note.number,
        customer_id=note.customer_id,
        currency=note.currency,
        total=note.total,
        issued_on=note.issued_on,
        payment=_position(note.position),
    )


def refund_requested(requested: Requested, order: Order) -> Announcement:
    refund = requested.refund
    return Announcement(
        RefundRequested(
            order_id=refund.order_id,
            refund_id=requested.id,
            amount=refund.amount,
            currency=refund.currency,
            provider=refund.provider,
            reference=refund.reference,
            payment=_position(order.position),
        ),
        subject=str(refund.order_id),
    )


def refund_settled(settled: Requested, order: Order, at: datetime) -> Announcement:
    return Announcement(
        RefundSettled(
            order_id=order.id,
            refund_id=settled.id,
            amount=settled.refund.amount,
            currency=settled.refund.currency,
            settled_at=at,
            payment=_position(order.position),
        ),
        subject=str(order.id),
    )


def invoice_paid(invoice: Payable, amount: int, on: date, order: Order) -> Announcement:
    return Announcement(
        InvoicePaid(
            order_id=order.id,
            number=invoice.number,
            customer_id=invoice.customer_id,
            currency=invoice.currency,
            total=invoice.total,
            paid=invoice.paid + amount,
            paid_on=on,
            payment=_position(order.position),
        ),
        subject=str(order.id),
    )
