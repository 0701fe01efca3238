"""Cancellations, shipments and returns of orders: written once, never changed."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any
from uuid import UUID

from msgspec.structs import asdict
from sqlalchemy import (
    Select,
    Table,
    Uuid,
    any_,
    bindparam,
    cast,
    insert,
    literal_column,
    null,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY

from chassis import database
from chassis.database import Row, Tx, insert_many, run
from contracts.inventory import Condition
from inventory.domain.history import (
    Cancellation,
    History,
    MovedLine,
    ReleasedLine,
    ReturnedLine,
    ReturnReceipt,
    Shipment,
)
from inventory.schema import (
    cancellation_lines,
    cancellations,
    return_receipt_lines,
    return_receipts,
    shipment_lines,
    shipments,
)

_ORDERS = any_(bindparam("order_ids", type_=ARRAY(Uuid)))

# What any of them has; who lacks something of it has NULL.
_HAS = {
    column.name: column.type
    for table in (
        *(cancellations, cancellation_lines, shipments, shipment_lines),
        *(return_receipts, return_receipt_lines),
    )
    for column in table.c
}


def _facts(heads: Table, lines: Table, id: str) -> Select[Any]:
    """Each with its lines; a cancellation may have none. `number` is the head's."""
    has = {column.name: column for column in (*lines.c, *heads.c)}
    return (
        select(
            literal_column(f"'{heads.name}'").label("fact"),
            *(has.get(n, cast(null(), type_)).label(n) for n, type_ in _HAS.items()),
        )
        .join(lines, lines.c[id] == heads.c[id], isouter=True)
        .where(heads.c.order_id == _ORDERS)
    )


_all_facts = union_all(
    _facts(cancellations, cancellation_lines, "cancellation_id"),
    _facts(shipments, shipment_lines, "shipment_id"),
    _facts(return_receipts, return_receipt_lines, "receipt_id"),
).subquery()
_GET = select(_all_facts).order_by(
    *(_all_facts.c[name] for name in ("order_id", "fact", "number")),
    *(_all_facts.c[name] for name in ("line", "condition")),
)

_CANCELLATION = ("cancellation_id", "order_id", "number")
_CANCELLATION_LINE = ("cancellation_id", "line", "asked", "released")
ADD_CANCELLATIONS = (
    insert_many(cancellations, *_CANCELLATION, prefix="answer_").cte("answers"),
    insert_many(cancellation_lines, *_CANCELLATION_LINE, prefix="answered_").cte(
        "answered_lines"
    ),
)
_SHIPMENT_LINE = ("shipment_id", "line", "quantity", "cost")
_ADD_SHIPMENT_LINES = insert_many(shipment_lines, *_SHIPMENT_LINE)
_RETURN_LINE = ("receipt_id", "line", "condition", "quantity", "cost")
_ADD_RETURN_LINES = insert_many(return_receipt_lines, *_RETURN_LINE)


async def get(tx: Tx, order_ids: Collection[UUID]) -> defaultdict[UUID, History]:
    """What happened to the orders; to those that are not in it, nothing."""
    histories: defaultdict[UUID, History] = defaultdict(History)
    if order_ids:
        rows = await run(tx, _GET, {"order_ids": list(order_ids)})
        for order_id, of_order in groupby(rows, key=attrgetter("order_id")):
            histories[order_id] = _history(of_order)
    return histories


def _history(rows: Iterable[Row]) -> History:
    facts: defaultdict[str, list[Any]] = defaultdict(list)
    for (fact, _), of_fact in groupby(rows, key=attrgetter("fact", "number")):
        facts[fact].append(_READ[fact](list(of_fact)))
    return History(
        cancellations=tuple(facts[cancellations.name]),
        shipments=tuple(facts[shipments.name]),
        returns=tuple(facts[return_receipts.name]),
    )


def _cancellation(rows: Sequence[Row]) -> Cancellation:
    return Cancellation(
        cancellation_id=rows[0].cancellation_id,
        lines=tuple(
            ReleasedLine(line=row.line, asked=row.asked, released=row.released)
            for row in rows
            if row.line is not None
        ),
    )


def _shipment(rows: Sequence[Row]) -> Shipment:
    return Shipment(
        shipment_id=rows[0].shipment_id,
        order_id=rows[0].order_id,
        carrier=rows[0].carrier,
        tracking=rows[0].tracking,
        lines=tuple(
            MovedLine(line=row.line, quantity=row.quantity, cost=row.cost)
            for row in rows
        ),
        shipped_at=rows[0].shipped_at,
    )


def _return(rows: Sequence[Row]) -> ReturnReceipt:
    return ReturnReceipt(
        receipt_id=rows[0].receipt_id,
        order_id=rows[0].order_id,
        return_id=rows[0].return_id,
        location=rows[0].location,
        lines=tuple(
            ReturnedLine(
                line=row.line,
                quantity=row.quantity,
                cost=row.cost,
                condition=Condition(row.condition),
            )
            for row in rows
        ),
        received_at=rows[0].received_at,
    )


_READ: Mapping[str, Callable[[Sequence[Row]], object]] = {
    cancellations.name: _cancellation,
    shipments.name: _shipment,
    return_receipts.name: _return,
}


def columns_of(
    answered: Sequence[tuple[UUID, int, Cancellation]],
) -> dict[str, Sequence[Any]]:
    """What `ADD_CANCELLATIONS` takes: of held orders, each with its number among its
    order's.
    """
    heads = [
        {"cancellation_id": c.cancellation_id, "order_id": order_id, "number": number}
        for order_id, number, c in answered
    ]
    lines = [
        asdict(line) | {"cancellation_id": c.cancellation_id}
        for _, _, c in answered
        for line in c.lines
    ]
    return {
        **database.columns_of(heads, _CANCELLATION, prefix="answer_"),
        **database.columns_of(lines, _CANCELLATION_LINE, prefix="answered_"),
    }


async def add_shipment(tx: Tx, shipment: Shipment, *, number: int, actor: str) -> None:
    await tx.execute(
        insert(shipments).values(
            shipment_id=shipment.shipment_id,
            order_id=shipment.order_id,
            number=number,
            carrier=shipment.carrier,
            tracking=shipment.tracking,
            actor=actor,
            shipped_at=shipment.shipped_at,
        )
    )
    rows = [
        asdict(line) | {"shipment_id": shipment.shipment_id} for line in shipment.lines
    ]
    await tx.execute(_ADD_SHIPMENT_LINES, database.columns_of(rows, _SHIPMENT_LINE))


async def add_return(
    tx: Tx, receipt: ReturnReceipt, *, number: int, actor: str
) -> None:
    await tx.execute(
        insert(return_receipts).values(
            receipt_id=receipt.receipt_id,
            order_id=receipt.order_id,
            return_id=receipt.return_id,
            number=number,
            location=receipt.location,
            actor=actor,
            received_at=receipt.received_at,
        )
    )
    rows = [asdict(line) | {"receipt_id": receipt.receipt_id} for line in receipt.lines]
    await tx.execute(_ADD_RETURN_LINES, database.columns_of(rows, _RETURN_LINE))
