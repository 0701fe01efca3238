"""Holds, their lines, and what they keep.

A hold changes only in the hands of whoever holds all its products: their rows are its
lock, as they are the lock of their stock.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from msgspec.structs import asdict
from sqlalchemy import Uuid, any_, bindparam, delete, func, literal_column, select
from sqlalchemy.dialects.postgresql import ARRAY, insert

from chassis.database import (
    Tx,
    changes_of,
    columns_of,
    insert_many,
    run,
    update_many,
)
from inventory.domain.holds import HeldUnits, Hold, HoldLine, HoldStatus
from inventory.schema import hold_allocations, hold_lines, holds

_HOLDS = any_(bindparam("hold_ids", type_=ARRAY(Uuid)))

_LINE = ("hold_id", "line", "sku", "quantity")
_ADD_LINES = insert_many(hold_lines, *_LINE)
_UNITS = ("hold_id", "sku", "location", "reserved")
_ADD_UNITS = insert_many(hold_allocations, *_UNITS)

_SKUS = select(hold_lines.c.sku).distinct().where(hold_lines.c.hold_id == _HOLDS)
_GET = select(holds).where(holds.c.id == _HOLDS).order_by(holds.c.id)
_GET_LINES = (
    select(hold_lines)
    .where(hold_lines.c.hold_id == _HOLDS)
    .order_by(hold_lines.c.hold_id, hold_lines.c.line)
)
_GET_UNITS = (
    select(hold_allocations)
    .where(hold_allocations.c.hold_id == _HOLDS)
    .order_by(*hold_allocations.primary_key)
)
# Part of the text, as in the partial index that it is found by.
_IS_HELD = holds.c.status == literal_column(f"'{HoldStatus.HELD}'")
_DUE = (
    select(holds.c.id)
    .where(
        _IS_HELD,
        holds.c.expires_at < bindparam("before"),
    )
    .order_by(holds.c.expires_at, holds.c.id)
    .limit(bindparam("most"))
)
_NEXT_EXPIRY = select(func.min(holds.c.expires_at)).where(_IS_HELD)

_end = update_many(holds, ["id"], ["status", "order_id"]).values(ended_at=func.now())
_free = delete(hold_allocations).where(hold_allocations.c.hold_id == _HOLDS)
_END = _end.add_cte(_free.cte("freed"))


async def add(tx: Tx, hold: Hold, *, actor: str) -> None:
    await tx.execute(
        insert(holds).values(
            id=hold.id,
            customer_id=hold.customer_id,
            actor=actor,
            expires_at=hold.expires_at,
        )
    )
    lines = [
        asdict(line) | {"hold_id": hold.id, "line": number}
        for number, line in enumerate(hold.lines, 1)
    ]
    await tx.execute(_ADD_LINES, columns_of(lines, _LINE))
    units = [asdict(units) for units in hold.units]
    await tx.execute(_ADD_UNITS, columns_of(units, _UNITS))


async def find_skus(tx: Tx, hold_ids: Collection[UUID]) -> set[str]:
    """What to hold before the holds may be changed: it never changes itself."""
    if not hold_ids:
        return set()
    found = await tx.execute(_SKUS, {"hold_ids": list(hold_ids)})
    return set(found.scalars())


async def get(tx: Tx, hold_ids: Collection[UUID]) -> dict[UUID, Hold]:
    """The holds among these, with where they keep their units."""
    if not hold_ids:
        return {}
    ids = {"hold_ids": list(hold_ids)}
    lines: defaultdict[UUID, list[HoldLine]] = defaultdict(list)
    for row in await tx.execute(_GET_LINES, ids):
        lines[row.hold_id].append(HoldLine(sku=row.sku, quantity=row.quantity))
    units: defaultdict[UUID, list[HeldUnits]] = defaultdict(list)
    for kept in (await tx.execute(_GET_UNITS, ids)).mappings():
        units[kept["hold_id"]].append(HeldUnits(**kept))
    return {
        row.id: Hold(
            id=row.id,
            customer_id=row.customer_id,
            lines=tuple(lines[row.id]),
            expires_at=row.expires_at,
            status=HoldStatus(row.status),
            units=tuple(units[row.id]),
        )
        for row in await tx.execute(_GET, ids)
    }


async def count_kept(tx: Tx, sku: str, location: str) -> int:
    """How many units all holds together keep there."""
    kept = select(func.coalesce(func.sum(hold_allocations.c.reserved), 0)).where(
        hold_allocations.c.sku == sku, hold_allocations.c.location == location
    )
    return int((await tx.execute(kept)).scalar_one())


async def end(
    tx: Tx,
    hold_ids: Iterable[UUID],
    status: HoldStatus,
    *,
    orders: Mapping[UUID, UUID] | None = None,
) -> None:
    """Have them keep nothing any more; `orders` took them over."""
    rows = [
        {"id": hold_id, "status": status, "order_id": (orders or {}).get(hold_id)}
        for hold_id in hold_ids
    ]
    if rows:
        ids = {"hold_ids": [row["id"] for row in rows]}
        await run(tx, _END, ids | changes_of(rows, ("id", "status", "order_id")))


async def find_due(tx: Tx, before: datetime, *, most: int) -> Sequence[UUID]:
    """Those that ran out before then, the oldest first."""
    found = await tx.execute(_DUE, {"before": before, "most": most})
    return found.scalars().all()


async def get_next_expiry(tx: Tx) -> datetime | None:
    """None: nothing is held."""
    found: datetime | None = (await tx.execute(_NEXT_EXPIRY)).scalar_one()
    return found
