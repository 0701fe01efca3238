"""Reservations, their lines and allocations, and who waits for what."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Integer,
    Row,
    Text,
    Update,
    Uuid,
    and_,
    any_,
    bindparam,
    func,
    literal_column,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.database import (
    Tx,
    changes_of,
    columns_of,
    insert_many,
    rows_from_arrays,
    run,
    update_many,
)
from chassis.pages import Window
from contracts.orders import Policy
from inventory.domain.cancellations import Tombstone
from inventory.domain.reservations import Allocation, Cause, Line, Reservation, State
from inventory.schema import allocations, locations, reservation_lines, reservations
from inventory.store import history

_ORDERS = any_(bindparam("order_ids", type_=ARRAY(Uuid)))

_absent = insert_many(reservations, "order_id")
_HOLD = _absent.on_conflict_do_update(
    index_elements=["order_id"],
    # Changes nothing, but waits for whoever has the row, and has it then.
    set_={"order_id": _absent.excluded.order_id},
).returning(reservations.c.order_id, reservations.c.version, reservations.c.state)

_GET = (
    select(reservations)
    .where(
        reservations.c.order_id == _ORDERS,
        reservations.c.state != State.AWAITED.value,
    )
    .order_by(reservations.c.order_id)
)
_GET_LINES = (
    select(reservation_lines)
    .where(reservation_lines.c.order_id == _ORDERS)
    .order_by(reservation_lines.c.order_id, reservation_lines.c.line)
)
_GET_SKUS = (
    select(reservation_lines.c.order_id, reservation_lines.c.sku)
    .where(reservation_lines.c.order_id == _ORDERS)
    .distinct()
)

_HEAD = ("order_id", "version", "state", "policy", "placed_at", "cause")
_heads = insert_many(reservations, *_HEAD)
_save_heads = _heads.on_conflict_do_update(
    index_elements=["order_id"],
    set_={name: _heads.excluded[name] for name in _HEAD} | {"changed_at": func.now()},
)

_QUANTITIES = tuple(field.name for field in fields(Line))
_LINE = ("order_id", "placed_at", *_QUANTITIES)
_lines = insert_many(reservation_lines, *_LINE, prefix="line_")
_save_lines = _lines.on_conflict_do_update(
    index_elements=["order_id", "line"],
    set_={name: _lines.excluded[name] for name in _QUANTITIES},
)

_ALLOCATION = ("order_id", "line", "location", "reserved")
_allocated = insert_many(allocations, *_ALLOCATION, prefix="kept_")
_allocate = _allocated.on_conflict_do_update(
    index_elements=["order_id", "line", "location"],
    set_={"reserved": allocations.c.reserved + _allocated.excluded.reserved},
)
# All of a reservation in one round trip.
_SAVE = _allocate.add_cte(
    _save_heads.cte("saved_heads"), _save_lines.cte("saved_lines")
)
_GET_ALLOCATIONS = (
    select(
        allocations.c.order_id,
        allocations.c.line,
        reservation_lines.c.sku,
        allocations.c.location,
        allocations.c.reserved,
        allocations.c.shipped,
    )
    .join(
        reservation_lines,
        (reservation_lines.c.order_id == allocations.c.order_id)
        & (reservation_lines.c.line == allocations.c.line),
    )
    .join(locations, locations.c.code == allocations.c.location)
    .where(allocations.c.order_id == _ORDERS)
    .order_by(
        allocations.c.order_id,
        allocations.c.line,
        locations.c.priority,
        locations.c.code,
    )
)
_taken = rows_from_arrays(
    ("of_order", Uuid()),
    ("of_line", Integer()),
    ("at", Text()),
    ("units", BigInteger()),
)
_TAKE = update(allocations).where(
    allocations.c.order_id == _taken.c.of_order,
    allocations.c.line == _taken.c.of_line,
    allocations.c.location == _taken.c.at,
)
_RELEASE = _TAKE.values(reserved=allocations.c.reserved - _taken.c.units)
_SHIP = _RELEASE.values(shipped=allocations.c.shipped + _taken.c.units)

_SAVE_TOMBSTONES = update_many(reservations, ["order_id"], ["version", "cause"])

# Part of the text: a plan made for any number could not use the partial indexes.
_NONE = literal_column("0", BigInteger)

_placed_at = func.max(reservation_lines.c.placed_at)
_KEPT = (
    select(
        allocations.c.order_id,
        func.sum(allocations.c.reserved).cast(BigInteger).label("units"),
    )
    .join(
        reservation_lines,
        and_(
            reservation_lines.c.order_id == allocations.c.order_id,
            reservation_lines.c.line == allocations.c.line,
        ),
    )
    .where(
        reservation_lines.c.sku == bindparam("sku"),
        reservation_lines.c.reserved > _NONE,
        allocations.c.location == bindparam("location"),
        allocations.c.reserved > 0,
    )
    .group_by(allocations.c.order_id)
    .order_by(_placed_at.desc(), allocations.c.order_id)
    .limit(bindparam("most"))
)

_free = rows_from_arrays(("sku", Text()), ("units", BigInteger()))
# Whoever waits, waits for a unit at least: so many units never reach more lines.
_reached = (
    select(reservation_lines)
    .where(
        reservation_lines.c.sku == _free.c.sku,
        reservation_lines.c.backordered > _NONE,
    )
    .order_by(
        reservation_lines.c.placed_at,
        reservation_lines.c.order_id,
        reservation_lines.c.line,
    )
    .limit(_free.c.units)
    .lateral()
)
_ahead = func.sum(_reached.c.backordered).over(
    partition_by=_reached.c.sku,
    order_by=(_reached.c.placed_at, _reached.c.order_id, _reached.c.line),
)
_waiting = (
    select(
        _reached.c.order_id,
        _free.c.units,
        (_ahead - _reached.c.backordered).label("ahead"),
    )
    .join(_reached, true())
    .subquery()
)
_FIRST_IN_LINE = (
    select(_waiting.c.order_id).distinct().where(_waiting.c.ahead < _waiting.c.units)
)
_WAITING = (
    select(
        _reached.c.sku,
        func.sum(_reached.c.backordered).cast(BigInteger).label("units"),
    )
    .select_from(_free)
    .join(_reached, true())
    .group_by(_reached.c.sku)
)


@dataclass(frozen=True)
class Held:
    """A reservation that is kept from others."""

    version: int
    state: State


async def hold(tx: Tx, order_ids: Collection[UUID]) -> dict[UUID, Held]:
    """Keep the orders' reservations from others, also where there is none yet."""
    if not order_ids:
        return {}
    held = await run(tx, _HOLD, {"order_id": sorted(set(order_ids))})
    return {row.order_id: Held(row.version, State(row.state)) for row in held}


async def find_skus(tx: Tx, order_ids: Iterable[UUID]) -> dict[UUID, set[str]]:
    """What the orders that have come ask for: it never changes."""
    skus: defaultdict[UUID, set[str]] = defaultdict(set)
    for row in await tx.execute(_GET_SKUS, {"order_ids": list(order_ids)}):
        skus[row.order_id].add(row.sku)
    return skus


async def get(tx: Tx, order_ids: Collection[UUID]) -> list[Reservation]:
    """Those of the orders that have come."""
    if not order_ids:
        return []
    found = await tx.execute(_GET, {"order_ids": list(order_ids)})
    return await _whole(tx, found.all())


async def find(tx: Tx, window: Window, state: State) -> list[Reservation]:
    """The oldest orders first."""
    query = select(reservations).where(reservations.c.state == state.value)
    found = await tx.execute(
        window.of(query, reservations.c.placed_at, reservations.c.order_id)
    )
    return await _whole(tx, found.all())


async def _whole(tx: Tx, found: Sequence[Row[Any]]) -> list[Reservation]:
    if not found:
        return []
    ids = [row.order_id for row in found]
    lines: defaultdict[UUID, list[Line]] = defaultdict(list)
    for row in (await tx.execute(_GET_LINES, {"order_ids": ids})).mappings():
        lines[row["order_id"]].append(Line(**{name: row[name] for name in _QUANTITIES}))
    # Whatever happens to an order is a new version: the first has no past.
    changed = [row.order_id for row in found if row.version > 1]
    histories = await history.get(tx, changed)
    return [
        Reservation(
            order_id=row.order_id,
            version=row.version,
            policy=Policy(row.policy),
            placed_at=row.placed_at,
            cause=Cause(row.cause),
            lines=tuple(lines[row.order_id]),
            history=histories[row.order_id],
        )
        for row in found
    ]


async def save(
    tx: Tx, changed: Sequence[Reservation], kept: Sequence[Allocation] = ()
) -> None:
    """Store reservations that are held, with all their lines, and what they now keep
    besides what they kept."""
    if not changed:
        return
    heads = [vars(order) | {"state": order.state} for order in changed]
    lines = [
        vars(line) | {"order_id": order.order_id, "placed_at": order.placed_at}
        for order in changed
        for line in order.lines
    ]
    allocated = [vars(allocation) for allocation in kept]
    await run(
        tx,
        _SAVE,
        columns_of(heads, _HEAD)
        | columns_of(lines, _LINE, prefix="line_")
        | columns_of(allocated, _ALLOCATION, prefix="kept_"),
    )


async def save_tombstones(tx: Tx, changed: Sequence[Tombstone]) -> None:
    """Store the versions of orders that are held and have not come."""
    if changed:
        rows = [vars(tombstone) for tombstone in changed]
        await tx.execute(
            _SAVE_TOMBSTONES, changes_of(rows, ["order_id", "version", "cause"])
        )


async def release(tx: Tx, freed: Sequence[Allocation]) -> None:
    """Keep so many units less for orders that are held."""
    await _take(tx, freed, _RELEASE)


async def ship(tx: Tx, taken: Sequence[Allocation]) -> None:
    """Have so many units of what is kept for orders that are held leave."""
    await _take(tx, taken, _SHIP)


async def _take(tx: Tx, taken: Sequence[Allocation], change: Update) -> None:
    if not taken:
        return
    changed = await tx.execute(
        change,
        {
            "of_order": [units.order_id for units in taken],
            "of_line": [units.line for units in taken],
            "at": [units.location for units in taken],
            "units": [units.reserved for units in taken],
        },
    )
    if changed.rowcount != len(taken):
        raise LookupError("units were taken from where none are kept")


async def get_allocations(
    tx: Tx, order_ids: Collection[UUID]
) -> dict[UUID, list[Allocation]]:
    """Where the orders' units are or left from, the preferred locations first."""
    found: defaultdict[UUID, list[Allocation]] = defaultdict(list)
    if order_ids:
        rows = await tx.execute(_GET_ALLOCATIONS, {"order_ids": list(order_ids)})
        for row in rows.mappings():
            found[row["order_id"]].append(Allocation(**row))
    return found


async def find_first_in_line(tx: Tx, free: Mapping[str, int]) -> set[UUID]:
    """The orders whose backorders so many units of held products would reach."""
    free = {sku: units for sku, units in free.items() if units}
    if not free:
        return set()
    found = await tx.execute(
        _FIRST_IN_LINE, {"sku": list(free), "units": list(free.values())}
    )
    return set(found.scalars())


async def count_waiting(tx: Tx, units: Mapping[str, int]) -> dict[str, int]:
    """How many units of held products are waited for, by those whom so many reach."""
    found = await tx.execute(
        _WAITING, {"sku": list(units), "units": list(units.values())}
    )
    return {row.sku: row.units for row in found}


async def find_kept(tx: Tx, sku: str, location: str, *, most: int) -> dict[UUID, int]:
    """Which orders units are kept for there, those placed last first."""
    found = await tx.execute(_KEPT, {"sku": sku, "location": location, "most": most})
    return {row.order_id: row.units for row in found}
