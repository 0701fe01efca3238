"""Stock, its movements, and the receipts it came in by."""

from collections.abc import Iterable, Sequence
from dataclasses import fields

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    RowMapping,
    Table,
    Text,
    any_,
    bindparam,
    exists,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from chassis.database import Tx, columns_of, insert_many, run
from chassis.pages import Window
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

_MOVEMENT = (*(field.name for field in fields(Movement)), "actor")
_MOVE = text(
    f"""
    WITH moved AS (
        INSERT INTO movements ({", ".join(_MOVEMENT)})
        SELECT * FROM unnest({", ".join(f":{name}" for name in _MOVEMENT)})
        RETURNING sku, location, on_hand_change, reserved_change
    ), net AS (
        SELECT sku, location, sum(on_hand_change)::bigint AS on_hand,
            sum(reserved_change)::bigint AS reserved
        FROM moved GROUP BY sku, location
    )
    UPDATE stock SET on_hand = stock.on_hand + net.on_hand,
        reserved = stock.reserved + net.reserved
    FROM net WHERE stock.sku = net.sku AND stock.location = net.location
    RETURNING 1
    """  # noqa: S608 the names are our own
).bindparams(
    *(bindparam(name, type_=ARRAY(movements.c[name].type)) for name in _MOVEMENT)
)

_RECEIPT_LINE = ("receipt_id", "line", "sku", "quantity", "unit_cost", "standard_cost")
_ADD_RECEIPT_LINES = insert_many(receipt_lines, *_RECEIPT_LINE)


async def get(tx: Tx, skus: Iterable[str]) -> list[Shelf]:
    """All there is of the SKUs, at the preferred locations first."""
    found = await run(tx, _BY_PREFERENCE, {"skus": list(skus)})
    return [Shelf(**row) for row in found]


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
    if not moves:
        return
    rows = [vars(movement) | {"actor": actor} for movement in moves]
    moved = await run(tx, _MOVE, columns_of(rows, _MOVEMENT))
    if len(moved) != len({(row["sku"], row["location"]) for row in rows}):
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
    rows = [vars(line) | {"receipt_id": receipt.id} for line in receipt.lines]
    await tx.execute(_ADD_RECEIPT_LINES, columns_of(rows, _RECEIPT_LINE))


async def add_adjustment(
    tx: Tx, adjustment: Adjustment, *, standard_cost: int, actor: str
) -> None:
    await tx.execute(
        insert(adjustments).values(
            **vars(adjustment), standard_cost=standard_cost, actor=actor
        )
    )


def _is(table: Table, **wanted: str | None) -> list[ColumnElement[bool]]:
    return [table.c[name] == value for name, value in wanted.items() if value]
