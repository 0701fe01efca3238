"""What happened to an order's units after it asked for them: lists that only grow.

Each snapshot carries them whole, and must fit in a message however long they are. The
bounds below hold the largest to that; no order that people pack comes near them.
"""

from collections import Counter
from datetime import datetime
from functools import cached_property
from uuid import UUID

from msgspec import Struct

from contracts.inventory import Condition

MOST_CANCELLATIONS = 50
MOST_CANCELLED_LINES = 700
MOST_SHIPMENTS = 50
MOST_SHIPPED_LINES = 700
MOST_RETURN_RECEIPTS = 50
MOST_RETURNED_LINES = 500


class ReleasedLine(Struct, frozen=True, kw_only=True):
    """What a cancellation asked for of a line, and what it got."""

    line: int
    asked: int
    released: int


class Cancellation(Struct, frozen=True, kw_only=True):
    cancellation_id: UUID
    lines: tuple[ReleasedLine, ...]


class MovedLine(Struct, frozen=True, kw_only=True):
    """`cost` is what the units were worth when they moved."""

    line: int
    quantity: int
    cost: int


class Shipment(Struct, frozen=True, kw_only=True):
    shipment_id: UUID
    order_id: UUID
    carrier: str | None
    tracking: str | None
    lines: tuple[MovedLine, ...]
    shipped_at: datetime


class ReturnedLine(MovedLine, frozen=True, kw_only=True):
    condition: Condition


class ReturnReceipt(Struct, frozen=True, kw_only=True):
    """What came back at one time; a return may come in parts."""

    receipt_id: UUID
    order_id: UUID
    return_id: UUID
    location: str
    lines: tuple[ReturnedLine, ...]
    received_at: datetime


class History(Struct, frozen=True, kw_only=True, dict=True):
    """In the order in which it happened."""

    cancellations: tuple[Cancellation, ...] = ()
    shipments: tuple[Shipment, ...] = ()
    returns: tuple[ReturnReceipt, ...] = ()

    @cached_property
    def released(self) -> Counter[int]:
        """The units of each line that cancellations got."""
        units: Counter[int] = Counter()
        for cancellation in self.cancellations:
            for line in cancellation.lines:
                units[line.line] += line.released
        return units

    def has_answered(self, cancellation_id: UUID) -> bool:
        return any(c.cancellation_id == cancellation_id for c in self.cancellations)


NOTHING_YET = History()
