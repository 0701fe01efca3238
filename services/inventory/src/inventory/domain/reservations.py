"""Who gets which units, and from where: from what is free to what each order holds."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from itertools import combinations
from math import comb
from uuid import UUID

from chassis.errors import NotFound
from contracts.orders import Policy
from inventory.domain.history import NOTHING_YET, Cancellation, History, MovedLine
from inventory.domain.stock import Movement, MovementKind, Shelf, available

# Sets of locations looked at for the very fewest; beyond, a good choice must do.
MOST_TRIES = 256


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

    def ship(self, moved: MovedLine) -> "Line":
        return replace(
            self,
            reserved=self.reserved - moved.quantity,
            shipped=self.shipped + moved.quantity,
            cost_shipped=self.cost_shipped + moved.cost,
        )

    def take_back(self, moved: MovedLine) -> "Line":
        return replace(
            self,
            returned=self.returned + moved.quantity,
            cost_returned=self.cost_returned + moved.cost,
        )


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """What an order holds. Each change is a new version."""

    order_id: UUID
    version: int
    policy: Policy
    placed_at: datetime
    cause: Cause
    lines: tuple[Line, ...]
    history: History = NOTHING_YET

    @property
    def state(self) -> State:
        waiting = any(line.reserved or line.backordered for line in self.lines)
        return State.OPEN if waiting else State.CLOSED

    @property
    def short(self) -> int:
        return sum(line.short for line in self.lines)

    def overtaken_by(self, cancellations: Sequence[Cancellation]) -> "Reservation":
        """The order without what was cancelled of it before it came."""
        history = replace(self.history, cancellations=tuple(cancellations))
        lines = tuple(
            replace(line, voided=min(history.released[line.line], line.requested))
            for line in self.lines
        )
        return replace(self, lines=lines, history=history)

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


@dataclass(frozen=True, kw_only=True)
class Allocation:
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


@dataclass(frozen=True)
class Served:
    """An order's reservation after its turn, and what was newly kept for it."""

    reservation: Reservation
    allocations: tuple[Allocation, ...]


def reserve(
    placed: Iterable[Reservation], known: Collection[str], shelves: Sequence[Shelf]
) -> list[Served]:
    """Serve new orders in their turn, each by its policy.

    `shelves` come in the order in which their locations are preferred. A SKU that is
    not `known` can neither be had nor be waited for.
    """
    pool = _Pool(known, shelves)
    return [_reserve(order, pool) for order in sorted(placed, key=_turn)]


def fill(
    waiting: Iterable[Reservation], known: Collection[str], shelves: Sequence[Shelf]
) -> list[Served]:
    """Give the backorders of the known SKUs what is free, the oldest order first."""
    pool = _Pool(known, shelves)
    served = [_fill(order, pool) for order in sorted(waiting, key=_turn)]
    return [order for order in served if order.allocations]


def _turn(order: Reservation) -> tuple[datetime, UUID]:
    return order.placed_at, order.order_id


def _reserve(order: Reservation, pool: "_Pool") -> Served:
    wanted = [line.requested - line.voided for line in order.lines]
    granted = pool.grant(order.lines, wanted)
    if order.policy is Policy.ALL_OR_NOTHING and granted != wanted:
        granted = [0] * len(wanted)
    waits = order.policy is Policy.ALLOW_BACKORDER
    lines = tuple(
        replace(
            line,
            reserved=units,
            backordered=asked - units if waits and pool.knows(line.sku) else 0,
        )
        for line, asked, units in zip(order.lines, wanted, granted, strict=True)
    )
    decided = replace(order, version=order.version + 1, lines=lines)
    return Served(decided, pool.take(order, granted))


def _fill(order: Reservation, pool: "_Pool") -> Served:
    granted = pool.grant(order.lines, [line.backordered for line in order.lines])
    lines = tuple(
        replace(
            line, reserved=line.reserved + units, backordered=line.backordered - units
        )
        for line, units in zip(order.lines, granted, strict=True)
    )
    filled = replace(
        order, version=order.version + 1, cause=Cause.BACKORDER_FILLED, lines=lines
    )
    return Served(filled, pool.take(order, granted))


class _Pool:
    """What is free of each SKU, and where, while a batch is being served."""

    def __init__(self, known: Collection[str], shelves: Sequence[Shelf]) -> None:
        self._at: dict[str, dict[str, int]] = {sku: {} for sku in known}
        for shelf in shelves:
            self._at[shelf.sku][shelf.location] = shelf.available
        self._free = available(shelves)
        preferred = dict.fromkeys(shelf.location for shelf in shelves)
        self._rank = {location: rank for rank, location in enumerate(preferred)}

    def knows(self, sku: str) -> bool:
        return sku in self._at

    def grant(self, lines: Sequence[Line], wanted: Sequence[int]) -> list[int]:
        """How much of each line can be had; lines of one SKU share what is free."""
        left: dict[str, int] = {}
        granted = []
        for line, units in zip(lines, wanted, strict=True):
            free = left.get(line.sku, self._free.get(line.sku, 0))
            granted.append(min(units, free))
            left[line.sku] = free - granted[-1]
        return granted

    def take(
        self, order: Reservation, granted: Sequence[int]
    ) -> tuple[Allocation, ...]:
        """Keep what was granted, at as few locations as will do."""
        needed: defaultdict[str, int] = defaultdict(int)
        for line, units in zip(order.lines, granted, strict=True):
            if units:
                needed[line.sku] += units
        locations = self._locations(needed)
        return tuple(
            Allocation(
                order_id=order.order_id,
                line=line.line,
                sku=line.sku,
                location=location,
                reserved=reserved,
            )
            for line, units in zip(order.lines, granted, strict=True)
            for location, reserved in self._pick(line.sku, units, locations)
        )

    def _pick(
        self, sku: str, units: int, locations: Sequence[str]
    ) -> Iterator[tuple[str, int]]:
        for location in locations:
            here = min(units, self._here(sku, location))
            if here:
                self._at[sku][location] -= here
                self._free[sku] -= here
                units -= here
                yield location, here

    def _here(self, sku: str, location: str) -> int:
        return self._at[sku].get(location, 0) if sku in self._at else 0

    def _locations(self, needed: Mapping[str, int]) -> Sequence[str]:
        """The fewest locations that have it all together, preferred ones first."""
        places = sorted(
            {at for sku in needed for at, units in self._at[sku].items() if units},
            key=self._rank.__getitem__,
        )
        size = 0
        while comb(len(places), size) <= MOST_TRIES:
            for chosen in combinations(places, size):
                if self._cover(needed, chosen):
                    return chosen
            size += 1
        return self._well_filled(needed, places)

    def _cover(self, needed: Mapping[str, int], locations: Sequence[str]) -> bool:
        return all(
            sum(self._here(sku, location) for location in locations) >= units
            for sku, units in needed.items()
        )

    def _well_filled(
        self, needed: Mapping[str, int], places: Sequence[str]
    ) -> Sequence[str]:
        """Locations that each have the most of what the others lack.

        One that has it all comes first. The very fewest of many could take for ever
        to find: it is a set cover.
        """
        lacking, others = dict(needed), list(places)
        while lacking:
            best = max(others, key=partial(self._helps, lacking))
            others.remove(best)
            lacking = {
                sku: left
                for sku, units in lacking.items()
                if (left := units - self._here(sku, best)) > 0
            }
        return [location for location in places if location not in others]

    def _helps(self, lacking: Mapping[str, int], location: str) -> int:
        return sum(
            min(units, self._here(sku, location)) for sku, units in lacking.items()
        )
