"""Payments of customers on terms."""

from datetime import UTC, date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from accounting.api.callers import Reader, Writer
from accounting.api.fields import Amount, Currency, example
from accounting.commands.payments import Received, record_payment
from accounting.store import payments
from accounting.store.payments import Payment
from chassis.bodies import RequestBody, reads, text
from chassis.database import Tx
from chassis.errors import NotFound
from chassis.idempotency import Answer, Once
from chassis.ids import uuid7
from chassis.pages import Page, Paged
from chassis.routing import HttpRouter
from chassis.web import database_of, respond, respond_page

router = HttpRouter(prefix="/v1/accounting", tags=["payments"])


class PaymentNotFound(NotFound):
    code = "payment_not_found"


class PaymentBody(RequestBody):
    model_config = example(
        customer_id="c-42",
        amount=3558,
        currency="EUR",
        reference="SEPA 2026-03-28 4711",
        invoices=["INV-2026-000123"],
    )

    customer_id: Annotated[str, text(255)]
    amount: Amount
    currency: Currency
    reference: Annotated[str, text(255)]
    invoices: Annotated[
        list[Annotated[str, text(40)]],
        Field(max_length=500, description="in the order they are to be paid"),
    ]


class AllocationView(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    invoice: str
    amount: int


class PaymentView(BaseModel):
    """`unallocated` is what no invoice took: it stays to the customer's credit."""

    model_config = example(
        id="0198c5a6-2f0e-7c3a-8a55-6d8f1d6b8a01",
        customer_id="c-42",
        amount=3600,
        currency="EUR",
        reference="SEPA 2026-03-28 4711",
        received_on="2026-03-28",
        allocations=[{"invoice": "INV-2026-000123", "amount": 3558}],
        unallocated=42,
    )

    id: UUID
    customer_id: str
    amount: int
    currency: str
    reference: str
    received_on: date
    allocations: list[AllocationView]
    unallocated: int


@router.post("/payments", status_code=201, response_model=PaymentView)
async def record_customer_payment(
    caller: Writer,  # noqa: ARG001 - who may record one
    body: Annotated[PaymentBody, reads(PaymentBody)],
    once: Once,
) -> Response:
    """Record a payment of a customer on terms, and allocate it to invoices."""
    received = Received(
        id=uuid7(),
        customer_id=body.customer_id,
        amount=body.amount,
        currency=body.currency,
        reference=body.reference,
        invoices=tuple(body.invoices),
        received_on=datetime.now(UTC).date(),
    )

    async def work(tx: Tx) -> Answer:
        payment = await record_payment(tx, received)
        location = f"/v1/accounting/payments/{payment.id}"
        return Answer(201, PaymentView.model_validate(payment), location)

    return await once.answer(body, work)


@router.get("/payments", response_model=Page[PaymentView])
async def list_payments(
    caller: Reader,
    request: Request,
    window: Paged,
    customer_id: Annotated[str | None, Query(max_length=255)] = None,
) -> Response:
    """List payments, the newest first."""
    found = await database_of(request).transact(
        payments.find,
        window,
        customers=[c for c in (caller.customer_id, customer_id) if c is not None],
    )
    return respond_page(
        request,
        window,
        found,
        view=PaymentView.model_validate,
        key=lambda payment: (payment.id,),
    )


@router.get("/payments/{payment_id}", response_model=PaymentView)
async def get_payment(caller: Reader, request: Request, payment_id: UUID) -> Response:
    """Get a payment."""
    own = [caller.customer_id] if caller.customer_id is not None else []
    payment: Payment | None = await database_of(request).transact(
        payments.get, payment_id, customers=own
    )
    if payment is None:
        raise PaymentNotFound(f"There is no payment {payment_id}.")
    return respond(request, PaymentView.model_validate(payment))
