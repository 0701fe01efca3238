"""Reservations, their lines and allocations."""

from collections.abc import Collection, Container, Sequence
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any
from uuid import UUID

from msgspec.structs import fields
from sqlalchemy import (
    BigInteger,
    Integer,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    func,
    insert,
    literal,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.elements import Grouping

from chassis.database import (
    Row,
    Tx,
    columns_from,
    insert_many,
    rows_from_arrays,
    run,
)
from chassis.pages import Window
from contracts.orders import Policy
from inventory.domain.allocation import Served
from inventory.domain.cancellations import Cancelled, Tombstone
from inventory.domain.history import Cancellation, History
from inventory.domain.reservations import Allocation, Cause, Line, Reservation, State
from inventory.domain.stock import Movement
from inventory.schema import allocations, locations, reservation_lines, reservations
from inventory.store import history, stock

_QUANTITIES = tuple(field.name for field in fields(Line))

_GET = (
    select(
        *reservations.c["order_id", "version", "policy", "placed_at", "cause"],
        *(reservation_lines.c[name] for name in _QUANTITIES),
        allocations.c.location,
        allocations.c.reserved.label("reserved_there"),
        allocations.c.shipped.label("shipped_from_there"),
    )
    .join(reservation_lines, reservation_lines.c.order_id == reservations.c.order_id)
    .join(
        allocations,
        (allocations.c.order_id == reservation_lines.c.order_id)
        & (allocations.c.line == reservation_lines.c.line),
        isouter=True,
    )
    .join(locations, locations.c.code == allocations.c.location, isouter=True)
    .where(
        reservations.c.order_id == any_(bindparam("order_ids", type_=ARRAY(Uuid))),
        reservations.c.state != State.AWAITED.value,
    )
    .order_by(
        reservations.c.order_id,
        reservation_lines.c.line,
        locations.c.priority,
        locations.c.code,
    )
)

_HEAD = {
    name: attrgetter(name)
    for name in ("order_id", "version", "state", "policy", "placed_at", "cause")
}
_heads = insert_many(reservations, *_HEAD)
_save_heads = _heads.on_conflict_do_update(
    index_elements=["order_id"],
    set_={name: _heads.excluded[name] for name in _HEAD} | {"changed_at": func.now()},
)

_LINE = {name: attrgetter(name) for name in _QUANTITIES}
_lines = insert_many(reservation_lines, "order_id", "placed_at", *_LINE, prefix="line_")
_save_lines = _lines.on_conflict_do_update(
    index_elements=["order_id", "line"],
    set_={name: _lines.excluded[name] for name in _QUANTITIES},
)

_ALLOCATION = {
    name: attrgetter(name) for name in ("order_id", "line", "location", "reserved")
}
_allocated = insert_many(allocations, *_ALLOCATION, prefix="kept_")
_allocate = _allocated.on_conflict_do_update(
    index_elements=["order_id", "line", "location"],
    set_={"reserved": allocations.c.reserved + _allocated.excluded.reserved},
)
_taken = rows_from_arrays(
    ("taken_order_id", Uuid()),
    ("taken_line", Integer()),
    ("taken_location", Text()),
    ("taken_reserved", BigInteger()),
)
_release = (
    update(allocations)
    .where(
        allocations.c.order_id == _taken.c.taken_order_id,
        allocations.c.line == _taken.c.taken_line,
        allocations.c.location == _taken.c.taken_location,
    )
    .values(reserved=allocations.c.reserved - _taken.c.taken_reserved)
    .returning(literal(1))
)
_SHIP = _release.values(shipped=allocations.c.shipped + _taken.c.taken_reserved)

# Of what has just come nothing is there but its head, and its lines have nothing but
# what they ask for and get. They, and what is kept for them, tell by a number which
# order they are of: to send its id and its time with each costs more than all else.
_NEW = {name: attrgetter(name) for name in ("order_id", "placed_at")}
_of_order = {
    name: Grouping(bindparam(f"new_{name}", type_=ARRAY(reservations.c[name].type)))
    for name in _NEW
}
_NEW_LINE = {
    name: attrgetter(name)
    for name in ("line", "sku", "requested", "voided", "reserved", "backordered")
}
_new_lines = rows_from_arrays(
    ("line_of", Integer()),
    *((f"line_{name}", reservation_lines.c[name].type) for name in _NEW_LINE),
)
_add_lines = insert(reservation_lines).from_select(
    [*_NEW, *_NEW_LINE],
    select(
        *(_of_order[name][_new_lines.c.line_of] for name in _NEW),
        *(_new_lines.c[f"line_{name}"] for name in _NEW_LINE),
    ),
)
_NEW_UNITS = {
    name: attrgetter(name) for name in ("line", "sku", "location", "reserved")
}
_kept = rows_from_arrays(
    ("kept_of", Integer()),
    ("kept_line", Integer()),
    ("kept_sku", Text()),
    ("kept_location", Text()),
    ("kept_reserved", BigInteger()),
)
_new_units = select(
    _of_order["order_id"][_kept.c.kept_of].label("order_id"),
    *(_kept.c[f"kept_{name}"].label(name) for name in _NEW_UNITS),
).cte("new_units")
_add_units = insert(allocations).from_select(
    [*_ALLOCATION], select(*(_new_units.c[name] for name in _ALLOCATION))
)
_ADD = stock.reserve(_new_units, actor=bindparam("actor", type_=Text())).add_cte(
    _save_heads.cte("saved_heads"),
    _add_lines.cte("added_lines"),
    _add_units.cte("added_units"),
)

# All that changes in one round trip.
_saved = (_save_heads.cte("saved_heads"), _save_lines.cte("saved_lines"))
_SAVE = stock.MOVE.add_cte(*_saved, _allocate.cte("allocated"))
_moved = stock.MOVE.cte("moved_stock")
_released = _release.cte("released")
_SAVE_CANCELLED = select(
    select(func.count()).select_from(_moved).scalar_subquery().label("shelves"),
    select(func.count()).select_from(_released).scalar_subquery().label("places"),
).add_cte(*_saved, *history.ADD_CANCELLATIONS)

# Part of the text: a plan made for any number could not use the partial indexes.
_NONE = literal_column("0", BigInteger)

_last_placed_at = func.max(reservation_lines.c.placed_at)
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
    .order_by(_last_placed_at.desc(), allocations.c.order_id)
    .limit(bindparam("most"))
)


async def get(tx: Tx, order_ids: Collection[UUID]) -> list[Reservation]:
    """Those of the orders that have come."""
    return [order for order, _ in await get_with_allocations(tx, order_ids)]


async def get_with_allocations(
    tx: Tx, order_ids: Collection[UUID]
) -> list[tuple[Reservation, list[Allocation]]]:
    """The same, with where their units are or left from, the preferred places first."""
    if not order_ids:
        return []
    rows = await run(tx, _GET, {"order_ids": list(order_ids)})
    # Whatever happens to an order is a new version: the first has no past.
    changed = {row["order_id"] for row in rows if row["version"] > 1}
    histories = await history.get(tx, changed)
    return [
        _whole(list(of_order), histories[order_id])
        for order_id, of_order in groupby(rows, key=itemgetter("order_id"))
    ]


def _whole(rows: Sequence[Row], past: History) -> tuple[Reservation, list[Allocation]]:
    """A row is of a line, or of an allocation of a line that has any."""
    head = rows[0]
    lines = {row["line"]: row for row in rows}
    reservation = Reservation(
        order_id=head["order_id"],
        version=head["version"],
        policy=Policy(head["policy"]),
        placed_at=head["placed_at"],
        cause=Cause(head["cause"]),
        lines=tuple(
            Line(**{name: row[name] for name in _QUANTITIES}) for row in lines.values()
        ),
        history=past,
    )
    return reservation, [_allocation(row) for row in rows if row["location"]]


def _allocation(row: Row) -> Allocation:
    return Allocation(
        order_id=row["order_id"],
        line=row["line"],
        sku=row["sku"],
        location=row["location"],
        reserved=row["reserved_there"],
        shipped=row["shipped_from_there"],
    )


async def find(
    tx: Tx, window: Window, state: State
) -> list[tuple[Reservation, list[Allocation]]]:
    """The oldest orders first."""
    query = select(reservations).where(reservations.c.state == state.value)
    found = await tx.execute(
        window.of(query, reservations.c.placed_at, reservations.c.order_id)
    )
    ids = [row.order_id for row in found]
    whole = {one[0].order_id: one for one in await get_with_allocations(tx, ids)}
    return [whole[order_id] for order_id in ids]


async def add(
    tx: Tx, served: Sequence[Served], *, opened: Container[UUID], actor: str
) -> None:
    """Store orders that are held and have just come, and have what they keep reserved.

    Those that are `opened` are stored already as most of them come to be: open.
    """
    placed = [order.reservation for order in served]
    lines = [line for order in placed for line in order.lines]
    kept = [units for order in served for units in order.allocations]
    heads = [
        order
        for order in placed
        if order.order_id not in opened or order.state is not State.OPEN
    ]
    shelves = await run(
        tx,
        _ADD,
        columns_from(heads, _HEAD)
        | columns_from(placed, _NEW, prefix="new_")
        | columns_from(lines, _NEW_LINE, prefix="line_")
        | columns_from(kept, _NEW_UNITS, prefix="kept_")
        | {
            "line_of": [n for n, order in enumerate(placed, 1) for _ in order.lines],
            "kept_of": [n for n, one in enumerate(served, 1) for _ in one.allocations],
            "actor": actor,
        },
    )
    stock.check_moved(kept, len(shelves))


async def save(
    tx: Tx,
    changed: Sequence[Reservation],
    kept: Sequence[Allocation] = (),
    *,
    moves: Sequence[Movement],
    actor: str,
) -> None:
    """Store reservations that are held, with all their lines, what they now keep
    besides what they kept, and what moved by that.
    """
    if not (changed or moves):
        return
    moved = await run(
        tx,
        _SAVE,
        columns_from(changed, _HEAD)
        | _columns_of_lines(changed)
        | columns_from(kept, _ALLOCATION, prefix="kept_")
        | stock.columns_of(moves, actor=actor),
    )
    stock.check_moved(moves, len(moved))


async def save_cancelled(
    tx: Tx,
    cancelled: Sequence[Cancelled],
    voided: Sequence[Tombstone],
    answered: Sequence[tuple[UUID, int, Cancellation]],
    *,
    actor: str,
) -> None:
    """Store what became of orders that are held, and each answer with its number among
    its order's.
    """
    changed = [one.reservation for one in cancelled]
    freed = [units for one in cancelled for units in one.freed]
    moves = [move for one in cancelled for move in one.movements]
    (saved,) = await run(
        tx,
        _SAVE_CANCELLED,
        columns_from([*changed, *voided], _HEAD)
        | _columns_of_lines(changed)
        | columns_from(freed, _ALLOCATION, prefix="taken_")
        | stock.columns_of(moves, actor=actor)
        | history.columns_of(answered),
    )
    stock.check_moved(moves, saved["shelves"])
    _check_taken(freed, saved["places"])


def _columns_of_lines(orders: Sequence[Reservation]) -> dict[str, Any]:
    lines = [line for order in orders for line in order.lines]
    return {
        "line_order_id": [order.order_id for order in orders for _ in order.lines],
        "line_placed_at": [order.placed_at for order in orders for _ in order.lines],
        **columns_from(lines, _LINE, prefix="line_"),
    }


async def ship(tx: Tx, taken: Sequence[Allocation]) -> None:
    """Have so many units of what is kept for orders that are held leave."""
    left = await run(tx, _SHIP, columns_from(taken, _ALLOCATION, prefix="taken_"))
    _check_taken(taken, len(left))


def _check_taken(taken: Sequence[Allocation], places: int) -> None:
    if places != len(taken):
        raise LookupError("units were taken from where none are kept")


async def find_kept(tx: Tx, sku: str, location: str, *, most: int) -> dict[UUID, int]:
    """Which orders units are kept for there, those placed last first."""
    found = await tx.execute(_KEPT, {"sku": sku, "location": location, "most": most})
    return {row.order_id: row.units for row in found}
