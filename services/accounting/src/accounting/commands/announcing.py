"""How what accounting did is told to others."""

from collections.abc import Mapping
from datetime import date, datetime

from accounting.domain.documents import Series
from accounting.domain.orders import Order
from accounting.domain.positions import Position
from accounting.store.documents import Numbered
from accounting.store.receivables import Payable
from accounting.store.refunds import Requested
from chassis.events import Announcement, Event
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


_ISSUED: Mapping[Series, type[Event]] = {
    Series.INVOICE: InvoiceIssued,
    Series.CREDIT_NOTE: CreditNoteIssued,
}


def document_issued(document: Numbered) -> Announcement:
    return Announcement(
        document,
        str(document.order_id),
        traceparent=document.traceparent,
        kind=_ISSUED[document.series],
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
