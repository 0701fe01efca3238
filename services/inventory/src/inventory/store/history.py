"""Cancellations, shipments and returns of orders: written once, never changed."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Row, Select, Table, Uuid, any_, bindparam, insert, select
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.database import Tx, columns_of, insert_many
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

T = TypeVar("T")

_ORDERS = any_(bindparam("order_ids", type_=ARRAY(Uuid)))


def _whole(heads: Table, lines: Table, id: str, *then: str) -> Select[Any]:
    """Each with its lines, in the order in which it happened."""
    return (
        # A cancellation may have none; `number` is the head's.
        select(heads, *(c for c in lines.c if c.name != id))
        .join(lines, lines.c[id] == heads.c[id], isouter=True)
        .where(heads.c.order_id == _ORDERS)
        .order_by(heads.c.order_id, heads.c.number, *(lines.c[name] for name in then))
    )


_CANCELLATIONS = _whole(cancellations, cancellation_lines, "cancellation_id", "line")
_SHIPMENTS = _whole(shipments, shipment_lines, "shipment_id", "line")
_RETURNS = _whole(
    return_receipts, return_receipt_lines, "receipt_id", "line", "condition"
)

_CANCELLATION = ("cancellation_id", "order_id", "number")
_CANCELLATION_LINE = ("cancellation_id", "line", "asked", "released")
_ADD_CANCELLATIONS = insert_many(cancellations, *_CANCELLATION)
_ADD_CANCELLATION_LINES = insert_many(cancellation_lines, *_CANCELLATION_LINE)
_SHIPMENT_LINE = ("shipment_id", "line", "quantity", "cost")
_ADD_SHIPMENT_LINES = insert_many(shipment_lines, *_SHIPMENT_LINE)
_RETURN_LINE = ("receipt_id", "line", "condition", "quantity", "cost")
_ADD_RETURN_LINES = insert_many(return_receipt_lines, *_RETURN_LINE)


async def get(tx: Tx, order_ids: Collection[UUID]) -> defaultdict[UUID, History]:
    """What happened to the orders; to those that are not in it, nothing."""
    if not order_ids:
        return defaultdict(History)
    ids = {"order_ids": list(order_ids)}
    cancelled = _by_order(await tx.execute(_CANCELLATIONS, ids), _cancellation)
    shipped = _by_order(await tx.execute(_SHIPMENTS, ids), _shipment)
    returned = _by_order(await tx.execute(_RETURNS, ids), _return)
    return defaultdict(
        History,
        {
            order_id: History(
                cancellations=tuple(cancelled[order_id]),
                shipments=tuple(shipped[order_id]),
                returns=tuple(returned[order_id]),
            )
            for order_id in {*cancelled, *shipped, *returned}
        },
    )


def _by_order(
    rows: Iterable[Row[Any]], whole: Callable[[Sequence[Row[Any]]], T]
) -> defaultdict[UUID, list[T]]:
    found: defaultdict[UUID, list[T]] = defaultdict(list)
    for (order_id, _), group in groupby(rows, key=attrgetter("order_id", "number")):
        found[order_id].append(whole(list(group)))
    return found


def _cancellation(rows: Sequence[Row[Any]]) -> Cancellation:
    return Cancellation(
        cancellation_id=rows[0].cancellation_id,
        lines=tuple(
            ReleasedLine(line=row.line, asked=row.asked, released=row.released)
            for row in rows
            if row.line is not None
        ),
    )


def _shipment(rows: Sequence[Row[Any]]) -> Shipment:
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


def _return(rows: Sequence[Row[Any]]) -> ReturnReceipt:
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


async def add_cancellations(
    tx: Tx, answered: Sequence[tuple[UUID, int, Cancellation]]
) -> None:
    """Add cancellations of held orders, each with its number among its order's."""
    heads = [
        {"cancellation_id": c.cancellation_id, "order_id": order_id, "number": number}
        for order_id, number, c in answered
    ]
    lines = [
        vars(line) | {"cancellation_id": c.cancellation_id}
        for _, _, c in answered
        for line in c.lines
    ]
    if heads:
        await tx.execute(_ADD_CANCELLATIONS, columns_of(heads, _CANCELLATION))
    if lines:
        await tx.execute(_ADD_CANCELLATION_LINES, columns_of(lines, _CANCELLATION_LINE))


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
        vars(line) | {"shipment_id": shipment.shipment_id} for line in shipment.lines
    ]
    await tx.execute(_ADD_SHIPMENT_LINES, columns_of(rows, _SHIPMENT_LINE))


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
    rows = [vars(line) | {"receipt_id": receipt.receipt_id} for line in receipt.lines]
    await tx.execute(_ADD_RETURN_LINES, columns_of(rows, _RETURN_LINE))
