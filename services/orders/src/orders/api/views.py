"""What Orders shows over HTTP."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from contracts.accounting import PaymentStatus
from contracts.orders import Channel, PaymentMethod, Policy
from orders.api.bodies import EXAMPLE
from orders.domain.batches import BatchStatus, RowStatus
from orders.domain.orders import Attention, Status

_ORDER_ID = "1b4e28ba-2fa1-51d2-883f-0016d3cca427"
_BATCH_ID = "c0a8012e-6f0b-5d7a-9a38-7d1d3f6cf1b2"
_ORDER: JsonDict = {
    **{name: value for name, value in EXAMPLE.items() if name != "hold_id"},
    "id": _ORDER_ID,
    "number": "W-1000042",
    "status": "confirmed",
    "lines": [
        {
            "line": 1,
            "sku": "SOAP-5L",
            "quantity": 2,
            "unit_price": 1250,
            "discount": 0,
            "tax": 475,
            "pending": 0,
            "reserved": 2,
            "backordered": 0,
            "shipped": 0,
            "cancelled": 0,
            "returned": 0,
        }
    ],
    "payment": {
        "method": "prepaid",
        "provider": "acme-pay",
        "reference": "pay_77",
        "captured": 3558,
        "status": "captured",
    },
    "version": 2,
    "placed_at": "2026-11-21T09:30:00Z",
    "decided_at": "2026-11-21T09:30:01Z",
    "updated_at": "2026-11-21T09:30:01Z",
    "attention": None,
}


def _shown_as(example: JsonDict) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [example]})


class View(BaseModel):
    model_config = ConfigDict(from_attributes=True)


IfSent = Field(default=None, exclude_if=lambda value: value is None)


class LineView(View):
    line: int
    sku: str
    quantity: int
    unit_price: int
    discount: int
    tax: int
    tax_rate: str | None = IfSent
    pending: int
    reserved: int
    backordered: int
    shipped: int
    cancelled: int
    returned: int


class ShippingView(View):
    price: int
    tax: int
    tax_rate: str | None = IfSent


class AddressView(View):
    name: str
    line1: str
    line2: str | None = IfSent
    city: str
    region: str | None = IfSent
    postal_code: str
    country: str


class PaymentView(View):
    method: PaymentMethod
    provider: str | None = IfSent
    reference: str | None = IfSent
    captured: int | None = IfSent
    net_days: int | None = IfSent
    status: PaymentStatus


class SpilledView(View):
    """An order that is placed under this id as soon as the database answers."""

    model_config = _shown_as({"id": _ORDER_ID})

    id: UUID


class OrderView(View):
    model_config = _shown_as(_ORDER)

    id: UUID
    number: str
    parent_id: UUID | None = IfSent
    status: Status
    channel: Channel
    customer_id: str
    reference: str | None
    currency: str
    policy: Policy
    lines: tuple[LineView, ...]
    shipping: ShippingView
    ship_to: AddressView
    payment: PaymentView
    total: int
    version: int
    placed_at: datetime
    decided_at: datetime | None
    updated_at: datetime
    attention: Attention | None


class BatchView(View):
    model_config = _shown_as(
        {
            "id": _BATCH_ID,
            "status": "running",
            "rows": 10_000,
            "placed": 2559,
            "replayed": 0,
            "failed": 1,
            "created_at": "2026-11-21T09:30:00Z",
        }
    )

    id: UUID
    status: BatchStatus
    rows: int
    placed: int
    replayed: int
    failed: int
    created_at: datetime


class BatchResultView(View):
    model_config = _shown_as(
        {
            "row": 1,
            "idempotency_key": "po-4711-1",
            "status": "placed",
            "order_id": _ORDER_ID,
            "problem": None,
        }
    )

    row: int
    idempotency_key: str | None
    status: Annotated[RowStatus, Field(examples=[RowStatus.PLACED])]
    order_id: UUID | None
    problem: dict[str, Any] | None
