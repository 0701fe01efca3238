"""What an order holds: where the units of its lines are, and what each change makes."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from chassis.errors import NotFound
from contracts.orders import Policy
from inventory.domain.stock import Movement, MovementKind


class ReservationNotFound(NotFound):
    code = "reservation_not_found"


class State(StrEnum):
    AWAITED = "awaited"  # held by its id, before its order has come
    OPEN = "open"  # keeps units, or waits for some
    CLOSED = "closed"  # keeps none and waits for none


class Cause(StrEnum):
    """Why a reservation has a new version."""

    ORDER_PLACED = "order_placed"
    BACKORDER_FILLED = "backorder_filled"


@dataclass(frozen=True, kw_only=True)
class Line:
    """Where the units of an order's line are. What is nowhere was short."""

    line: int
    sku: str
    requested: int
    voided: int = 0  # cancelled before the order was known here
    reserved: int = 0
    backordered: int = 0
    shipped: int = 0
    released: int = 0
    returned: int = 0
    cost_shipped: int = 0
    cost_returned: int = 0

    @property
    def short(self) -> int:
        settled = self.reserved + self.backordered + self.shipped + self.released
        return self.requested - self.voided - settled


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """What an order holds. Each change is a new version."""

    order_id: UUID
    version: int
    policy: Policy
    placed_at: datetime
    cause: Cause
    lines: tuple[Line, ...]
    hold_id: UUID | None = None  # named by the order; a later turn needs it no more

    @property
    def state(self) -> State:
        waiting = any(line.reserved or line.backordered for line in self.lines)
        return State.OPEN if waiting else State.CLOSED

    @property
    def short(self) -> int:
        return sum(line.short for line in self.lines)


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """Units that are kept for an order's line at a location."""

    order_id: UUID
    line: int
    sku: str
    location: str
    reserved: int

    @property
    def movement(self) -> Movement:
        return Movement(
            location=self.location,
            sku=self.sku,
            reserved_change=self.reserved,
            kind=MovementKind.RESERVATION,
            reference=str(self.order_id),
        )
