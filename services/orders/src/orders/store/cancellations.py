"""Cancellations in and out of the database, always with what they ask for."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    JSON,
    Row,
    Select,
    Uuid,
    any_,
    bindparam,
    func,
    select,
)

from chassis.database import Tx, changes_of, columns_of, insert_many, update_many
from chassis.pages import Window
from orders.domain.cancellations import (
    Cancellation,
    CancellationLine,
    CancellationStatus,
)
from orders.schema import cancellation_lines, cancellations

_lines = (
    select(
        func.json_agg(
            func.json_build_array(
                cancellation_lines.c.line,
                cancellation_lines.c.quantity,
                cancellation_lines.c.cancelled,
            ),
            type_=JSON,
        )
    )
    .where(
        cancellation_lines.c.order_id == cancellations.c.order_id,
        cancellation_lines.c.cancellation_id == cancellations.c.id,
    )
    .scalar_subquery()
    .label("lines")
)
_GET = select(cancellations, _lines)
_FIND = _GET.where(
    cancellations.c.order_id == any_(bindparam("ids", type_=ARRAY(Uuid)))
)

_COLUMNS = tuple(column.name for column in cancellations.c)
_LINE = tuple(column.name for column in cancellation_lines.c)
_ADD = insert_many(cancellations, *_COLUMNS)
_ADD_LINES = insert_many(cancellation_lines, *_LINE)

_CHANGING = ("status", "decided_at", "rescue_at")
_SAVE = update_many(cancellations, ("order_id", "id"), _CHANGING)
_SAVE_LINES = update_many(
    cancellation_lines, ("order_id", "cancellation_id", "line"), ("cancelled",)
)


async def add(tx: Tx, new: Sequence[Cancellation]) -> None:
    await tx.execute(_ADD, columns_of(_rows(new), _COLUMNS))
    await tx.execute(_ADD_LINES, columns_of(_line_rows(new), _LINE))


async def get(tx: Tx, order_id: UUID, id: UUID) -> Cancellation | None:
    found = await tx.execute(
        _GET.where(cancellations.c.order_id == order_id, cancellations.c.id == id)
    )
    row = found.one_or_none()
    return None if row is None else _cancellation(row)


async def find(
    tx: Tx, order_ids: Collection[UUID]
) -> defaultdict[UUID, list[Cancellation]]:
    """All cancellations of these orders, by order."""
    by_order: defaultdict[UUID, list[Cancellation]] = defaultdict(list)
    if order_ids:
        for row in await tx.execute(_FIND, {"ids": list(order_ids)}):
            by_order[row.order_id].append(_cancellation(row))
    return by_order


async def find_page(tx: Tx, window: Window, *, order_id: UUID) -> list[Cancellation]:
    """An order's cancellations, the newest first."""
    query: Select[Any] = window.of(
        _GET.where(cancellations.c.order_id == order_id),
        cancellations.c.sequence,
        newest_first=True,
    )
    return [_cancellation(row) for row in await tx.execute(query)]


async def save(tx: Tx, changed: Sequence[Cancellation]) -> None:
    if changed:
        rows, lines = _rows(changed), _line_rows(changed)
        await tx.execute(_SAVE, changes_of(rows, ("order_id", "id", *_CHANGING)))
        await tx.execute(
            _SAVE_LINES,
            changes_of(lines, ("order_id", "cancellation_id", "line", "cancelled")),
        )


def _cancellation(row: Row[Any]) -> Cancellation:
    return Cancellation(
        id=row.id,
        order_id=row.order_id,
        sequence=row.sequence,
        status=CancellationStatus(row.status),
        lines=tuple(
            CancellationLine(line=line, quantity=quantity, cancelled=cancelled)
            for line, quantity, cancelled in sorted(row.lines)
        ),
        reason=row.reason,
        requested_at=row.requested_at,
        decided_at=row.decided_at,
        rescue_at=row.rescue_at,
    )


def _rows(many: Sequence[Cancellation]) -> list[dict[str, Any]]:
    return [{name: getattr(one, name) for name in _COLUMNS} for one in many]


def _line_rows(many: Sequence[Cancellation]) -> list[dict[str, Any]]:
    return [
        {
            "order_id": one.order_id,
            "cancellation_id": one.id,
            "line": line.line,
            "quantity": line.quantity,
            "cancelled": line.cancelled,
        }
        for one in many
        for line in one.lines
    ]
