"""What Inventory announces: absolute, versioned snapshots; what moved in the stock."""

from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

from msgspec import Struct
from pydantic import StringConstraints

from chassis.events import Event, Time
from contracts import letters

# Part of paths, and written on goods: what cannot be seen is not in it.
# A pattern that counts to 64 would take as long as the rest of a body to match.
Sku = Annotated[str, StringConstraints(max_length=64, pattern=r"^[^\s/?#\p{C}]+$")]


class ReservedLine(Struct, frozen=True, kw_only=True):
    """Where the units of one order line are; costs are of the goods that moved.

    Whatever moved of it is worth so much in `cost_currency`, which its product has for
    ever once it is sold: the order's may be another.
    """

    line: int
    requested: int
    reserved: int
    backordered: int
    shipped: int
    released: int
    returned: int
    cost_shipped: int
    cost_returned: int
    cost_currency: str | None = None


class ReleasedLine(Struct, frozen=True, kw_only=True):
    line: int
    asked: int
    released: int


class AnsweredCancellation(Struct, frozen=True, kw_only=True):
    cancellation_id: UUID
    lines: tuple[ReleasedLine, ...]


class MovedLine(Struct, frozen=True, kw_only=True):
    """`cost` is what these units were worth when they moved, in the line's currency."""

    line: int
    quantity: int
    cost: int


class Condition(StrEnum):
    """How returned goods came back: to be sold again, or not."""

    RESELLABLE = "resellable"
    DAMAGED = "damaged"


class ReturnedLine(MovedLine, frozen=True, kw_only=True):
    condition: Condition


class Shipment(Struct, frozen=True, kw_only=True):
    shipment_id: UUID
    carrier: str | None
    tracking: str | None
    lines: tuple[MovedLine, ...]
    shipped_at: Time


class ReceivedReturn(Struct, frozen=True, kw_only=True):
    """What came back at one time; a return may come in parts."""

    receipt_id: UUID
    return_id: UUID
    lines: tuple[ReturnedLine, ...]
    received_at: Time


class ReservationChanged(Event, frozen=True, kw_only=True):
    """An order's reservation as it stands now. A lower version is old news.

    Cancellations, shipments and returns only ever get longer, at their ends.
    """

    type: ClassVar[str] = "inventory.reservation_changed.v1"

    order_id: UUID
    version: int
    cause: str
    lines: tuple[ReservedLine, ...]
    cancellations: tuple[AnsweredCancellation, ...] = ()
    shipments: tuple[Shipment, ...] = ()
    returns: tuple[ReceivedReturn, ...] = ()


class ReceivedGoods(Struct, frozen=True, kw_only=True):
    """`unit_cost` is what was paid, `standard_cost` what the product is valued at."""

    sku: str
    quantity: int
    unit_cost: int
    standard_cost: int
    currency: str


class StockReceived(Event, frozen=True, kw_only=True):
    """Goods came in; the subject is the receipt."""

    type: ClassVar[str] = "inventory.stock_received.v1"

    receipt_id: UUID
    location: str
    reference: str | None
    lines: tuple[ReceivedGoods, ...]
    received_at: Time


class ProductChanged(Event, frozen=True, kw_only=True):
    """A product is new, or is described or valued differently; the subject is its SKU.

    `on_hand` units are revalued from the previous cost, if there was one.
    """

    type: ClassVar[str] = "inventory.product_changed.v1"

    sku: str
    version: int
    name: str
    unit_cost: int
    currency: str
    previous_unit_cost: int | None
    on_hand: int
    changed_at: Time


class StockAdjusted(Event, frozen=True, kw_only=True):
    """Somebody counted: more (or less) of a product is there than was known."""

    type: ClassVar[str] = "inventory.stock_adjusted.v1"

    adjustment_id: UUID
    location: str
    sku: str
    delta: int
    reason: str
    standard_cost: int
    currency: str
    adjusted_at: Time


class StockRanLow(Event, frozen=True, kw_only=True):
    """What is available of a product has fallen to its reorder point, or below it."""

    type: ClassVar[str] = "inventory.stock_ran_low.v1"

    sku: str
    available: int
    reorder_point: int
    ran_low_at: Time


class DeadLetterChanged(letters.DeadLetter, frozen=True, kw_only=True):
    """Inventory put an event about an order aside, or has handled it after all.

    Of two about the same event in the same queue, the later is true.
    """

    type: ClassVar[str] = "inventory.dead_letter_changed.v1"


EVENTS: tuple[type[Event], ...] = (
    ReservationChanged,
    StockReceived,
    StockAdjusted,
    StockRanLow,
    ProductChanged,
    DeadLetterChanged,
)
