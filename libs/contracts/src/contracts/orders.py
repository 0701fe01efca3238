"""What Orders announces. Its facts about an order are numbered from 1, without gaps."""

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from msgspec import Struct

from chassis.events import Event, Time
from contracts.inventory import Condition


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


class PlacedLine(Struct, frozen=True, kw_only=True):
    """`discount` and `tax` are of the whole line, in minor units."""

    line: int
    sku: str
    quantity: int
    unit_price: int
    discount: int
    tax: int
    tax_rate: str | None = None


class Shipping(Struct, frozen=True, kw_only=True):
    price: int
    tax: int
    tax_rate: str | None = None


class Address(Struct, frozen=True, kw_only=True):
    name: str
    line1: str
    line2: str | None = None
    city: str
    region: str | None = None
    postal_code: str
    country: str


class Payment(Struct, frozen=True, kw_only=True):
    """Prepaid: provider, reference and what was captured. Terms: the days until due."""

    method: PaymentMethod
    provider: str | None = None
    reference: str | None = None
    captured: int | None = None
    net_days: int | None = None


class OrderPlaced(Event, frozen=True, kw_only=True):
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
    placed_at: Time


class DecidedLine(Struct, frozen=True, kw_only=True):
    """Of the units asked for, `confirmed` will be delivered and `short` will not."""

    line: int
    confirmed: int
    short: int


class OrderConfirmed(Event, frozen=True, kw_only=True):
    """Every line is settled, and some units will be delivered."""

    type: ClassVar[str] = "orders.order_confirmed.v1"

    order_id: UUID
    lines: tuple[DecidedLine, ...]
    decided_at: Time


class OrderRejected(Event, frozen=True, kw_only=True):
    """Every line is settled, and nothing can be delivered."""

    type: ClassVar[str] = "orders.order_rejected.v1"

    order_id: UUID
    decided_at: Time


class LineUnits(Struct, frozen=True, kw_only=True):
    """Some of the units of a line."""

    line: int
    quantity: int


class OrderCancellationRequested(Event, frozen=True, kw_only=True):
    """Units are to be cancelled; Inventory decides, by what has not been shipped.

    Why is kept by Orders alone: what people write may name people.
    """

    type: ClassVar[str] = "orders.order_cancellation_requested.v1"

    order_id: UUID
    cancellation_id: UUID
    lines: tuple[LineUnits, ...]
    requested_at: Time


class OrderCancelled(Event, frozen=True, kw_only=True):
    """These units will not be delivered; `complete`: all that were asked for."""

    type: ClassVar[str] = "orders.order_cancelled.v1"

    order_id: UUID
    cancellation_id: UUID
    lines: tuple[LineUnits, ...]
    complete: bool
    cancelled_at: Time


class OrderCancellationRefused(Event, frozen=True, kw_only=True):
    """Nothing was left to cancel."""

    type: ClassVar[str] = "orders.order_cancellation_refused.v1"

    order_id: UUID
    cancellation_id: UUID
    refused_at: Time


class ShippedLine(LineUnits, frozen=True, kw_only=True):
    """`cost` is what these units were worth to the retailer.

    In `cost_currency`; where nobody says which, in the order's.
    """

    cost: int
    cost_currency: str | None = None


class OrderShipped(Event, frozen=True, kw_only=True):
    """One shipment left."""

    type: ClassVar[str] = "orders.order_shipped.v1"

    order_id: UUID
    shipment_id: UUID
    carrier: str | None
    tracking: str | None
    lines: tuple[ShippedLine, ...]
    shipped_at: Time


class ReturnAuthorized(Event, frozen=True, kw_only=True):
    """The customer may send these units back until it expires."""

    type: ClassVar[str] = "orders.return_authorized.v1"

    order_id: UUID
    return_id: UUID
    lines: tuple[LineUnits, ...]
    authorised_at: Time
    expires_at: Time


class ReturnedLine(LineUnits, frozen=True, kw_only=True):
    """`cost` is what these units are worth, or were before they were damaged."""

    condition: Condition
    cost: int
    cost_currency: str | None = None


class OrderReturned(Event, frozen=True, kw_only=True):
    """Units came back, once for each receipt of them."""

    type: ClassVar[str] = "orders.order_returned.v1"

    order_id: UUID
    return_id: UUID
    receipt_id: UUID
    lines: tuple[ReturnedLine, ...]
    received_at: Time


EVENTS: tuple[type[Event], ...] = (
    OrderPlaced,
    OrderConfirmed,
    OrderRejected,
    OrderCancellationRequested,
    OrderCancelled,
    OrderCancellationRefused,
    OrderShipped,
    ReturnAuthorized,
    OrderReturned,
)
