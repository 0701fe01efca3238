"""Who gets which units, and from where.

A location that has all of an order is preferred, then the fewest that have it
together, then those of the lower priority. The fewest are looked for among at most
`MOST_TRIES` sets of each size; beyond that, the locations that have the most of what
the others lack must do: the very fewest of many would be a set cover, which could take
for ever to find.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import combinations
from math import comb
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from contracts.orders import Policy
from inventory.domain.holds import HeldUnits, Hold
from inventory.domain.reservations import Allocation, Cause, Line, Reservation
from inventory.domain.stock import Movement, Shelf, available

MOST_TRIES = 256


class Served(Struct, frozen=True):
    """An order's reservation after its turn, and what was newly kept for it.

    The hold it took over has ended: what it kept was free again when its turn came.
    """

    reservation: Reservation
    allocations: tuple[Allocation, ...]
    took_over: Hold | None = None

    @property
    def movements(self) -> list[Movement]:
        held = self.took_over.units if self.took_over else ()
        return [
            *(units.freed for units in held),
            *(units.movement for units in self.allocations),
        ]


def reserve(
    placed: Iterable[Reservation],
    known: Collection[str],
    shelves: Sequence[Shelf],
    holds: Mapping[UUID, Hold] | None = None,
    waiting: Mapping[str, int] | None = None,
) -> list[Served]:
    """Serve new orders in their turn, each by its policy.

    `shelves` come in the order in which their locations are preferred. A SKU that is
    not `known` can neither be had nor be waited for. `holds` are those the orders name;
    what they leave over is for the units that others are `waiting` for, as is what is
    free already, then for whoever's turn comes next.
    """
    pool = _Pool(known, shelves, waiting or {})
    pool.keep_for_who_waits(waiting or ())
    named = dict(holds or {})
    return [
        _reserve(order, pool, _take_over(order, named))
        for order in sorted(placed, key=_turn)
    ]


def fill(
    waiting: Iterable[Reservation], known: Collection[str], shelves: Sequence[Shelf]
) -> list[Served]:
    """Give the backorders of the known SKUs what is free, the oldest order first."""
    pool = _Pool(known, shelves, {})
    served = [_fill(order, pool) for order in sorted(waiting, key=_turn)]
    return [order for order in served if order.allocations]


def hold(wanted: Hold, known: Collection[str], shelves: Sequence[Shelf]) -> Hold:
    """Keep all that is wanted, or refuse."""
    quantities = wanted.quantities
    free = available(shelves)
    if any(units > free.get(sku, 0) for sku, units in quantities.items()):
        raise wanted.not_available(free)
    pool = _Pool(known, shelves, {})
    skus = list(quantities)
    units = tuple(
        HeldUnits(
            hold_id=wanted.id, sku=skus[index], location=location, reserved=reserved
        )
        for index, location, reserved in pool.take(skus, list(quantities.values()))
    )
    return replace(wanted, units=units)


def _turn(order: Reservation) -> tuple[datetime, UUID]:
    return order.placed_at, order.order_id


def _take_over(order: Reservation, named: dict[UUID, Hold]) -> Hold | None:
    """The hold the order names, once: to whoever names it next it is as none."""
    if order.hold_id is None or order.hold_id not in named:
        return None
    hold = named[order.hold_id]
    if not (hold.is_for(order.customer_id) and hold.serves(order.placed_at)):
        return None
    return named.pop(order.hold_id)


def _reserve(order: Reservation, pool: "_Pool", held: Hold | None) -> Served:
    if held:
        pool.give_back(held.units)
    wanted = [line.requested - line.voided for line in order.lines]
    granted = pool.grant(order.lines, wanted)
    if order.policy is Policy.ALL_OR_NOTHING and granted != wanted:
        granted = [0] * len(wanted)
    waits = order.policy is Policy.ALLOW_BACKORDER
    lines = [
        replace(
            line,
            reserved=units,
            backordered=asked - units if waits and pool.knows(line.sku) else 0,
        )
        for line, asked, units in zip(order.lines, wanted, granted, strict=True)
    ]
    decided = replace(order, version=order.version + 1, lines=tuple(lines))
    served = Served(decided, _allocate(order, pool, granted), held)
    pool.queue_up(lines)
    if held:
        pool.keep_for_who_waits(units.sku for units in held.units)
    return served


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
    return Served(filled, _allocate(order, pool, granted))


def _allocate(
    order: Reservation, pool: "_Pool", granted: Sequence[int]
) -> tuple[Allocation, ...]:
    skus = [line.sku for line in order.lines]
    allocations = [
        Allocation(
            order_id=order.order_id,
            line=order.lines[index].line,
            sku=skus[index],
            location=location,
            reserved=reserved,
        )
        for index, location, reserved in pool.take(skus, granted)
    ]
    return tuple(allocations)


class _Pool:
    """What is free of each SKU, and where, while a batch is being served."""

    def __init__(
        self,
        known: Collection[str],
        shelves: Sequence[Shelf],
        waiting: Mapping[str, int],
    ) -> None:
        self._at: dict[str, dict[str, int]] = {sku: {} for sku in known}
        for shelf in shelves:
            self._at[shelf.sku][shelf.location] = shelf.available
        self._free = available(shelves)
        self._waiting = defaultdict(int, waiting)
        preferred = dict.fromkeys(shelf.location for shelf in shelves)
        self._rank = {location: rank for rank, location in enumerate(preferred)}

    def knows(self, sku: str) -> bool:
        return sku in self._at

    def give_back(self, units: Iterable[HeldUnits]) -> None:
        for held in units:
            self._at[held.sku][held.location] += held.reserved
            self._free[held.sku] += held.reserved

    def queue_up(self, lines: Iterable[Line]) -> None:
        for line in lines:
            if line.backordered:
                self._waiting[line.sku] += line.backordered

    def keep_for_who_waits(self, skus: Iterable[str]) -> None:
        """Leave to the backorders what is theirs: nobody else gets it in this batch."""
        for sku in set(skus):
            theirs = min(self._waiting[sku], self._free[sku])
            self._waiting[sku] -= theirs
            self._pick(sku, theirs, list(self._at[sku]))

    def grant(self, lines: Sequence[Line], wanted: Sequence[int]) -> list[int]:
        """How much of each line can be had; lines of one SKU share what is free."""
        left: dict[str, int] = {}
        granted = []
        for line, asked in zip(lines, wanted, strict=True):
            sku = line.sku
            free = left[sku] if sku in left else self._free.get(sku, 0)
            units = min(asked, free)
            granted.append(units)
            left[sku] = free - units
        return granted

    def take(
        self, skus: Sequence[str], granted: Sequence[int]
    ) -> Iterator[tuple[int, str, int]]:
        """Keep what was granted: the line's index, a location, and units there."""
        needed: dict[str, int] = {}
        for sku, units in zip(skus, granted, strict=True):
            if units:
                needed[sku] = needed.get(sku, 0) + units
        locations = self._locations(needed)
        for index, (sku, units) in enumerate(zip(skus, granted, strict=True)):
            for location, reserved in self._pick(sku, units, locations):
                yield index, location, reserved

    def _pick(
        self, sku: str, units: int, locations: Sequence[str]
    ) -> list[tuple[str, int]]:
        picked = []
        there = self._at.get(sku, {})
        for location in locations:
            here = min(units, there.get(location, 0))
            if here:
                there[location] -= here
                self._free[sku] -= here
                units -= here
                picked.append((location, here))
        return picked

    def _here(self, sku: str, location: str) -> int:
        return self._at[sku].get(location, 0)

    def _locations(self, needed: Mapping[str, int]) -> Sequence[str]:
        if not needed:
            return ()
        if (alone := self._has_all(needed)) is not None:
            return (alone,)
        places = sorted(
            {at for sku in needed for at, units in self._at[sku].items() if units},
            key=self._rank.__getitem__,
        )
        size = 2
        while size <= len(places) and comb(len(places), size) <= MOST_TRIES:
            for chosen in combinations(places, size):
                if self._cover(needed, chosen):
                    return chosen
            size += 1
        return self._well_filled(needed, places)

    def _has_all(self, needed: Mapping[str, int]) -> str | None:
        """The preferred of the locations that could serve it alone, as most can be."""
        (sku, units), *others = needed.items()
        for location, here in self._at[sku].items():
            if here >= units and all(
                self._here(other, location) >= more for other, more in others
            ):
                return location
        return None

    def _cover(self, needed: Mapping[str, int], locations: Sequence[str]) -> bool:
        return all(
            sum(self._here(sku, location) for location in locations) >= units
            for sku, units in needed.items()
        )

    def _well_filled(
        self, needed: Mapping[str, int], places: Sequence[str]
    ) -> Sequence[str]:
        """Locations that each have the most of what those before them lack."""
        lacking, others = dict(needed), list(places)
        while lacking:
            best = max(others, key=lambda place: self._helps(lacking, place))
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
