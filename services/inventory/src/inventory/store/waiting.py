"""The waiting lines: who waits for a product, those who were placed first first."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import BigInteger, Text, any_, func, literal_column, select, true

from chassis.database import Tx, rows_from_arrays, run
from inventory.schema import reservation_lines, reservations

# Part of the text: a plan made for any number could not use the partial index.
_NONE = literal_column("0", BigInteger)

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
_first_in_line = (
    select(_waiting.c.order_id).distinct().where(_waiting.c.ahead < _waiting.c.units)
)
_HOLD_FIRST = (
    select(reservations.c.order_id)
    .where(
        reservations.c.order_id == any_(func.array(_first_in_line.scalar_subquery()))
    )
    .order_by(reservations.c.order_id)
    .with_for_update(key_share=True)
)
_COUNT = (
    select(
        _reached.c.sku,
        func.sum(_reached.c.backordered).cast(BigInteger).label("units"),
    )
    .select_from(_free)
    .join(_reached, true())
    .group_by(_reached.c.sku)
)


async def hold_first(tx: Tx, free: Mapping[str, int]) -> list[UUID]:
    """Keep from others the orders whom so many units of held products would reach."""
    free = {sku: units for sku, units in free.items() if units}
    if not free:
        return []
    found = await run(
        tx, _HOLD_FIRST, {"sku": list(free), "units": list(free.values())}
    )
    return [row["order_id"] for row in found]


async def count(tx: Tx, units: Mapping[str, int]) -> dict[str, int]:
    """How many units of held products are waited for, by those whom so many reach."""
    found = await run(tx, _COUNT, {"sku": list(units), "units": list(units.values())})
    return {row["sku"]: row["units"] for row in found}
