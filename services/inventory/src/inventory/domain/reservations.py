"""What an order holds: where the units of its lines are, and what each change makes."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from chassis.errors import NotFound
from contracts.orders import Policy
from inventory.domain.history import NOTHING_YET, History, MovedLine
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
    CANCELLED = "cancelled"
    SHIPPED = "shipped"
    RETURNED = "returned"


# Lines, allocations, shelves and movements are what there is most of, and can be in no
# cycle: garbage is not looked for among them.
class Line(Struct, frozen=True, kw_only=True, gc=False):
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
    cost_currency: str | None = None  # nothing has moved yet

    @property
    def short(self) -> int:
        settled = self.reserved + self.backordered + self.shipped + self.released
        return self.requested - self.voided - settled

    @property
    def told(self) -> "Line":
        """As others hear of it: to them, what was cancelled early is released too."""
        if not self.voided:
            return self
        return replace(self, released=self.released + self.voided, voided=0)

    def release(self, asked: int) -> "Line":
        """Give up what has not shipped; what is there already is kept the longest."""
        dropped = min(asked, self.backordered)
        freed = min(asked - dropped, self.reserved)
        return replace(
            self,
            backordered=self.backordered - dropped,
            reserved=self.reserved - freed,
            released=self.released + dropped + freed,
        )

    def ship(self, moved: MovedLine, currency: str) -> "Line":
        return replace(
            self,
            reserved=self.reserved - moved.quantity,
            shipped=self.shipped + moved.quantity,
            cost_shipped=self.cost_shipped + moved.cost,
            cost_currency=currency,
        )

    def take_back(self, moved: MovedLine, currency: str) -> "Line":
        return replace(
            self,
            returned=self.returned + moved.quantity,
            cost_returned=self.cost_returned + moved.cost,
            cost_currency=currency,
        )


class Reservation(Struct, frozen=True, kw_only=True):
    """What an order holds. Each change is a new version."""

    order_id: UUID
    version: int
    policy: Policy
    placed_at: datetime
    cause: Cause
    lines: tuple[Line, ...]
    history: History = NOTHING_YET
    # Said by the order, and needed for its first turn only.
    hold_id: UUID | None = None
    customer_id: str | None = None

    @property
    def state(self) -> State:
        waiting = any(line.reserved or line.backordered for line in self.lines)
        return State.OPEN if waiting else State.CLOSED

    @property
    def short(self) -> int:
        return sum(line.short for line in self.lines)

    def overtaken_by(self, version: int, past: History) -> "Reservation":
        """The order without what was cancelled of it before it came."""
        lines = tuple(
            replace(line, voided=min(past.released[line.line], line.requested))
            for line in self.lines
        )
        return replace(self, version=version, lines=lines, history=past)

    def become(
        self, cause: Cause, lines: Mapping[int, Line], history: History
    ) -> "Reservation":
        """The next version, with these of its lines as they are now."""
        return replace(
            self,
            version=self.version + 1,
            cause=cause,
            lines=tuple(lines.get(line.line, line) for line in self.lines),
            history=history,
        )


class Allocation(Struct, frozen=True, kw_only=True, gc=False):
    """Units that are kept for an order's line at a location."""

    order_id: UUID
    line: int
    sku: str
    location: str
    reserved: int
    shipped: int = 0

    @property
    def movement(self) -> Movement:
        return Movement(
            location=self.location,
            sku=self.sku,
            reserved_change=self.reserved,
            kind=MovementKind.RESERVATION,
            reference=str(self.order_id),
        )


def portions(
    kept: Iterable[Allocation], wanted: Mapping[int, int]
) -> tuple[Allocation, ...]:
    """So many units of each line out of what is kept for it, from the first on."""
    left = dict(wanted)
    taken = []
    for allocation in kept:
        units = min(left.get(allocation.line, 0), allocation.reserved)
        if units:
            left[allocation.line] -= units
            taken.append(replace(allocation, reserved=units))
    return tuple(taken)
