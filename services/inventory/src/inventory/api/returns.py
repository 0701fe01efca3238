"""Goods that come back."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, Field

from chassis.bodies import RequestBody, reads
from chassis.database import Tx
from chassis.idempotency import Answer, Once
from chassis.ids import uuid7
from chassis.routing import HttpRouter
from contracts.inventory import Condition
from inventory.api.callers import Writer
from inventory.api.fields import Code, LineNumber, Units, example
from inventory.commands.returns import receive_return
from inventory.domain.history import ReturnReceipt
from inventory.domain.returns import ReturnedParcel, ReturnedUnits

router = HttpRouter(prefix="/v1/inventory")


class ReturnReceiptLineBody(RequestBody):
    line: LineNumber
    quantity: Units
    condition: Condition


class ReturnReceiptBody(RequestBody):
    model_config = example(
        order_id="0b0e4e7a-63a0-5a3c-8a36-5a0d6c1f7a11",
        return_id="019aa5a1-2f3b-7c11-8d4e-5f60718293a4",
        location="CORK",
        lines=[{"line": 1, "quantity": 1, "condition": "resellable"}],
    )

    order_id: UUID
    return_id: UUID
    location: Code
    lines: Annotated[list[ReturnReceiptLineBody], Field(min_length=1, max_length=500)]


class ReturnReceiptLineView(BaseModel):
    model_config = example(line=1, quantity=1, condition="resellable", cost=700)

    line: int
    quantity: int
    condition: Condition
    cost: Annotated[int, Field(description="what they were worth when they came back")]


class ReturnReceiptView(BaseModel):
    model_config = example(
        id="019aa5a2-4d1e-7b22-9c3d-6e5f4a3b2c1d",
        order_id="0b0e4e7a-63a0-5a3c-8a36-5a0d6c1f7a11",
        return_id="019aa5a1-2f3b-7c11-8d4e-5f60718293a4",
        location="CORK",
        lines=[{"line": 1, "quantity": 1, "condition": "resellable", "cost": 700}],
        received_at="2026-11-21T09:30:00Z",
    )

    id: UUID
    order_id: UUID
    return_id: UUID
    location: str
    lines: list[ReturnReceiptLineView]
    received_at: datetime

    @classmethod
    def of(cls, receipt: ReturnReceipt) -> "ReturnReceiptView":
        return cls(
            id=receipt.receipt_id,
            order_id=receipt.order_id,
            return_id=receipt.return_id,
            location=receipt.location,
            lines=[
                ReturnReceiptLineView.model_validate(line) for line in receipt.lines
            ],
            received_at=receipt.received_at,
        )


@router.post("/return-receipts", status_code=201, response_model=ReturnReceiptView)
async def receive_returned_goods(
    caller: Writer,
    body: Annotated[ReturnReceiptBody, reads(ReturnReceiptBody)],
    once: Once,
) -> Response:
    """Take goods back; what can be sold again serves orders that wait, at once."""
    parcel = ReturnedParcel(
        receipt_id=uuid7(),
        order_id=body.order_id,
        return_id=body.return_id,
        location=body.location,
        lines=tuple(ReturnedUnits(**line.model_dump()) for line in body.lines),
        received_at=datetime.now(UTC),
    )

    async def work(tx: Tx) -> Answer:
        receipt = await receive_return(tx, parcel, actor=caller.client)
        return Answer(201, ReturnReceiptView.of(receipt))

    return await once.answer(body, work)
