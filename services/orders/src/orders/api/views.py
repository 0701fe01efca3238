"""What Orders shows over HTTP."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from contracts.accounting import PaymentStatus
from contracts.orders import Channel, PaymentMethod, Policy
from orders.domain.batches import BatchStatus, RowStatus
from orders.domain.orders import Attention, Status


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

    id: UUID


class OrderView(View):
    id: UUID
    number: str
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
    id: UUID
    status: BatchStatus
    rows: int
    placed: int
    replayed: int
    failed: int
    created_at: datetime


class BatchResultView(View):
    row: int
    idempotency_key: str | None
    status: Annotated[RowStatus, Field(examples=[RowStatus.PLACED])]
    order_id: UUID | None
    problem: dict[str, Any] | None
