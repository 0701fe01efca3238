"""Refunds."""

from typing import Self
from uuid import UUID

from fastapi import Request, Response
from msgspec.structs import asdict
from pydantic import BaseModel, ConfigDict

from accounting.api.callers import Reader
from accounting.domain.documents import RefundStatus
from accounting.store import refunds
from accounting.store.refunds import Requested
from chassis.pages import Page, Paged
from chassis.routing import HttpRouter
from chassis.web import database_of, respond_page

router = HttpRouter(prefix="/v1/accounting", tags=["refunds"])


class RefundView(BaseModel):
    id: UUID
    order_id: UUID
    amount: int
    currency: str
    status: RefundStatus
    provider: str
    reference: str

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "0198c5a6-2f0e-7c3a-8a55-6d8f1d6b8a01",
                    "order_id": "5f0c5b0e-6d0a-5c55-9c39-3f6d6cf0a0a1",
                    "amount": 3558,
                    "currency": "EUR",
                    "status": "requested",
                    "provider": "acme-pay",
                    "reference": "pay_77",
                }
            ]
        }
    )

    @classmethod
    def of(cls, one: Requested) -> Self:
        return cls.model_validate(
            {"id": one.id, "status": one.status, **asdict(one.refund)}
        )


@router.get("/refunds", response_model=Page[RefundView])
async def list_refunds(
    caller: Reader,
    request: Request,
    window: Paged,
    order_id: UUID | None = None,
    status: RefundStatus | None = None,
) -> Response:
    """List refunds, the newest first. The refund job reads `status=requested`."""
    found = await database_of(request).transact(
        refunds.find,
        window,
        order_id=order_id,
        status=status,
        customer_id=caller.customer_id,
    )
    return respond_page(
        request, window, found, view=RefundView.of, key=lambda one: (one.id,)
    )
