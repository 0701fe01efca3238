"""Stock, its movements, and the receipts it came in by."""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

from msgspec.structs import asdict, fields
from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    RowMapping,
    Table,
    Text,
    any_,
    bindparam,
    cast,
    exists,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.sql.dml import ReturningUpdate

from chassis import database
from chassis.database import Tx, columns_from, insert_many, run
from chassis.pages import Window
from inventory.domain.reservations import Allocation
from inventory.domain.stock import Adjustment, Movement, MovementKind, Receipt, Shelf
from inventory.schema import (
    adjustments,
    locations,
    movements,
    receipt_lines,
    receipts,
    stock,
)

_SKUS = any_(bindparam("skus", type_=ARRAY(Text)))
_BY_PREFERENCE = (
    select(stock)
    .join(locations, locations.c.code == stock.c.location)
    .where(stock.c.sku == _SKUS)
    .order_by(locations.c.priority, locations.c.code, stock.c.sku)
)
_AVAILABLE = (
    select(
        stock.c.sku,
        func.sum(stock.c.on_hand - stock.c.reserved).cast(BigInteger).label("units"),
    )
    .where(stock.c.sku == _SKUS)
    .group_by(stock.c.sku)
)
_ADD = insert_many(stock, "sku", "location").on_conflict_do_nothing()

_MOVEMENT = {field.name: attrgetter(field.name) for field in fields(Movement)}
_moved = (
    insert_many(movements, *_MOVEMENT, "actor", prefix="moved_")
    .returning(*movements.c["sku", "location", "on_hand_change", "reserved_change"])
    .cte("moved")
)
_net = (
    select(
        _moved.c.sku,
        _moved.c.location,
        func.sum(_moved.c.on_hand_change).cast(BigInteger).label("on_hand"),
        func.sum(_moved.c.reserved_change).cast(BigInteger).label("reserved"),
    )
    .group_by(_moved.c.sku, _moved.c.location)
    .cte("net")
)
# Others write what a movement is of in the same round trip.
MOVE = (
    update(stock)
    .where(stock.c.sku == _net.c.sku, stock.c.location == _net.c.location)
    .values(
        on_hand=stock.c.on_hand + _net.c.on_hand,
        reserved=stock.c.reserved + _net.c.reserved,
    )
    .returning(stock.c.sku)
)


def reserve(units: CTE, *, actor: ColumnElement[str]) -> ReturningUpdate[str]:
    """The same, as part of what writes these units, which orders now keep."""
    moves = insert(movements).from_select(
        [*_MOVEMENT, "actor"],
        select(
            units.c.location,
            units.c.sku,
            literal_column("0", BigInteger),
            units.c.reserved,
            literal_column(f"'{MovementKind.RESERVATION}'", Text),
            cast(units.c.order_id, Text),
            actor,
        ),
    )
    net = (
        select(
            units.c.sku,
            units.c.location,
            func.sum(units.c.reserved).cast(BigInteger).label("reserved"),
        )
        .group_by(units.c.sku, units.c.location)
        .cte("net_units")
    )
    return (
        update(stock)
        .where(stock.c.sku == net.c.sku, stock.c.location == net.c.location)
        .values(reserved=stock.c.reserved + net.c.reserved)
        .returning(stock.c.sku)
        .add_cte(moves.cte("reserved_units"))
    )


_RECEIPT_LINE = ("receipt_id", "line", "sku", "quantity", "unit_cost", "standard_cost")
_ADD_RECEIPT_LINES = insert_many(receipt_lines, *_RECEIPT_LINE)


async def get(tx: Tx, skus: Iterable[str]) -> list[Shelf]:
    """All there is of the SKUs, at the preferred locations first."""
    found = await run(tx, _BY_PREFERENCE, {"skus": list(skus)})
    # Taken apart by its names, a row costs four times as much.
    return [
        Shelf(
            sku=row["sku"],
            location=row["location"],
            on_hand=row["on_hand"],
            reserved=row["reserved"],
        )
        for row in found
    ]


async def get_at(tx: Tx, sku: str, location: str) -> Shelf:
    """Of what was never there, there is nothing."""
    found = await tx.execute(select(stock).filter_by(sku=sku, location=location))
    row = found.mappings().one_or_none()
    return (
        Shelf(**row)
        if row
        else Shelf(sku=sku, location=location, on_hand=0, reserved=0)
    )


async def get_available(tx: Tx, skus: Iterable[str]) -> dict[str, int]:
    found = await tx.execute(_AVAILABLE, {"skus": list(skus)})
    return {row.sku: row.units for row in found}


async def find(
    tx: Tx, window: Window, *, sku: str | None, location: str | None
) -> list[Shelf]:
    query = select(stock).where(*_is(stock, sku=sku, location=location))
    found = await tx.execute(window.of(query, stock.c.sku, stock.c.location))
    return [Shelf(**row) for row in found.mappings()]


async def add(tx: Tx, location: str, skus: Iterable[str]) -> None:
    """Have a row for each SKU at the location: what has none cannot move."""
    wanted = sorted(skus)
    await tx.execute(_ADD, {"sku": wanted, "location": [location] * len(wanted)})


async def move(tx: Tx, moves: Sequence[Movement], *, actor: str) -> None:
    """Write the movements down, and change the stock of held products by their sums.

    Nothing else changes stock; so the two always agree.
    """
    if moves:
        moved = await run(tx, MOVE, columns_of(moves, actor=actor))
        check_moved(moves, len(moved))


def columns_of(moves: Sequence[Movement], *, actor: str) -> dict[str, Sequence[Any]]:
    """What `MOVE` takes."""
    return {
        **columns_from(moves, _MOVEMENT, prefix="moved_"),
        "moved_actor": [actor] * len(moves),
    }


def check_moved(moves: Iterable[Movement | Allocation], shelves: int) -> None:
    """Of as many shelves as it is answered that were changed."""
    if shelves != len({(move.sku, move.location) for move in moves}):
        raise LookupError("something moved in stock that has no row")


async def find_movements(
    tx: Tx,
    window: Window,
    *,
    sku: str | None,
    location: str | None,
    reference: str | None,
) -> list[RowMapping]:
    """The newest first."""
    query = select(movements).where(
        *_is(movements, sku=sku, location=location, reference=reference)
    )
    found = await tx.execute(window.of(query, movements.c.id, newest_first=True))
    return list(found.mappings())


async def has_shipped(tx: Tx, sku: str) -> bool:
    shipped = exists().where(
        movements.c.sku == sku, movements.c.kind == MovementKind.SHIPMENT.value
    )
    found: bool = (await tx.execute(select(shipped))).scalar_one()
    return found


async def add_receipt(tx: Tx, receipt: Receipt, *, actor: str) -> None:
    await tx.execute(
        insert(receipts).values(
            id=receipt.id,
            location=receipt.location,
            reference=receipt.reference,
            actor=actor,
            received_at=receipt.received_at,
        )
    )
    rows = [asdict(line) | {"receipt_id": receipt.id} for line in receipt.lines]
    await tx.execute(_ADD_RECEIPT_LINES, database.columns_of(rows, _RECEIPT_LINE))


async def add_adjustment(
    tx: Tx, adjustment: Adjustment, *, standard_cost: int, actor: str
) -> None:
    await tx.execute(
        insert(adjustments).values(
            **asdict(adjustment), standard_cost=standard_cost, actor=actor
        )
    )


def _is(table: Table, **wanted: str | None) -> list[ColumnElement[bool]]:
    return [table.c[name] == value for name, value in wanted.items() if value]
