"""What Orders announces. Its facts about an order are numbered from 1, without gaps."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from chassis.events import Event


class Channel(StrEnum):
    WEB = "web"
    MOBILE = "mobile"
    WHOLESALE = "wholesale"


class Policy(StrEnum):
    """What happens when not all units can be had."""

    ALL_OR_NOTHING = "all_or_nothing"
    ALLOW_PARTIAL = "allow_partial"
    ALLOW_BACKORDER = "allow_backorder"


class PaymentMethod(StrEnum):
    PREPAID = "prepaid"
    TERMS = "terms"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class PlacedLine(_Part):
    """`discount` and `tax` are of the whole line, in minor units."""

    line: int
    sku: str
    quantity: int
    unit_price: int
    discount: int
    tax: int
    tax_rate: str | None = None


class Shipping(_Part):
    price: int
    tax: int
    tax_rate: str | None = None


class Address(_Part):
    name: str
    line1: str
    line2: str | None = None
    city: str
    region: str | None = None
    postal_code: str
    country: str


class Payment(_Part):
    """Prepaid: provider, reference and what was captured. Terms: the days until due."""

    method: PaymentMethod
    provider: str | None = None
    reference: str | None = None
    captured: int | None = None
    net_days: int | None = None


class OrderPlaced(Event):
    """A customer's order was accepted; its stock is not reserved yet.

    The only event that carries where the goods go.
    """

    type: ClassVar[str] = "orders.order_placed.v1"

    order_id: UUID
    number: str
    parent_id: UUID | None = None
    channel: Channel
    customer_id: str
    reference: str | None
    currency: str
    policy: Policy
    lines: tuple[PlacedLine, ...]
    shipping: Shipping
    ship_to: Address
    payment: Payment
    hold_id: UUID | None
    total: int
    placed_at: datetime


class DecidedLine(_Part):
    """Of the units asked for, `confirmed` will be delivered and `short` will not."""

    line: int
    confirmed: int
    short: int


class OrderConfirmed(Event):
    """Every line is settled, and some units will be delivered."""

    type: ClassVar[str] = "orders.order_confirmed.v1"

    order_id: UUID
    lines: tuple[DecidedLine, ...]
    decided_at: datetime


class OrderRejected(Event):
    """Every line is settled, and nothing can be delivered."""

    type: ClassVar[str] = "orders.order_rejected.v1"

    order_id: UUID
    decided_at: datetime


EVENTS: tuple[type[Event], ...] = (OrderPlaced, OrderConfirmed, OrderRejected)
