"""What Accounting announces: documents, and how far an order is paid or refunded."""

from datetime import date
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from msgspec import Struct

from chassis.events import Event, Time
from contracts import letters


class PaymentStatus(StrEnum):
    """Prepaid: captured to refunded. On terms: due to paid."""

    CAPTURED = "captured"
    REFUND_PENDING = "refund_pending"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"
    DUE = "due"
    PARTLY_PAID = "partly_paid"
    PAID = "paid"


class PaymentPosition(Struct, frozen=True, kw_only=True):
    """An order's payment as it stands now. A lower version is old news."""

    version: int
    status: PaymentStatus


class InvoiceIssued(Event, frozen=True, kw_only=True):
    """An invoice has its number; the subject is the order."""

    type: ClassVar[str] = "accounting.invoice_issued.v1"

    order_id: UUID
    number: str
    customer_id: str
    currency: str
    total: int
    issued_on: date
    due_on: date
    payment: PaymentPosition


class RefundRequested(Event, frozen=True, kw_only=True):
    """Money goes back to the customer; the retailer's refund job acts on it."""

    type: ClassVar[str] = "accounting.refund_requested.v1"

    order_id: UUID
    refund_id: UUID
    amount: int
    currency: str
    provider: str
    reference: str
    payment: PaymentPosition


class InvoicePaid(Event, frozen=True, kw_only=True):
    """An invoice was paid, in part or all of it; `paid` is the sum so far."""

    type: ClassVar[str] = "accounting.invoice_paid.v1"

    order_id: UUID
    number: str
    customer_id: str
    currency: str
    total: int
    paid: int
    paid_on: date
    payment: PaymentPosition


class CreditNoteIssued(Event, frozen=True, kw_only=True):
    """A credit note has its number; the subject is the order."""

    type: ClassVar[str] = "accounting.credit_note_issued.v1"

    order_id: UUID
    number: str
    customer_id: str
    currency: str
    total: int
    issued_on: date
    payment: PaymentPosition


class RefundSettled(Event, frozen=True, kw_only=True):
    """The gateway has given the money back."""

    type: ClassVar[str] = "accounting.refund_settled.v1"

    order_id: UUID
    refund_id: UUID
    amount: int
    currency: str
    settled_at: Time
    payment: PaymentPosition


class FactsMissing(Event, frozen=True, kw_only=True):
    """Facts of an order did not arrive: Orders announces them again, from this one."""

    type: ClassVar[str] = "accounting.facts_missing.v1"

    order_id: UUID
    from_sequence: int


class DeadLetterChanged(letters.DeadLetter, frozen=True, kw_only=True):
    """Accounting put an event about an order aside, or has handled it after all.

    Of two about the same event in the same queue, the later is true.
    """

    type: ClassVar[str] = "accounting.dead_letter_changed.v1"


EVENTS: tuple[type[Event], ...] = (
    InvoiceIssued,
    InvoicePaid,
    CreditNoteIssued,
    RefundRequested,
    RefundSettled,
    FactsMissing,
    DeadLetterChanged,
)
