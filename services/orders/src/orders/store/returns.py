"""Returns in and out of the database, always with what may come and what has come."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, JSON, Row, Select, Uuid, any_, bindparam, func, select

from chassis.database import Tx, columns_of, insert_many
from chassis.pages import Window
from orders.domain.returns import Return, ReturnLine
from orders.schema import return_lines, returns

_lines = (
    select(
        func.json_agg(
            func.json_build_array(
                return_lines.c.line, return_lines.c.quantity, return_lines.c.received
            ),
            type_=JSON,
        )
    )
    .where(
        return_lines.c.order_id == returns.c.order_id,
        return_lines.c.return_id == returns.c.id,
    )
    .scalar_subquery()
    .label("lines")
)
_GET = select(returns, _lines)
_FIND = _GET.where(returns.c.order_id == any_(bindparam("ids", type_=ARRAY(Uuid))))

_COLUMNS = tuple(column.name for column in returns.c)
_LINE = tuple(column.name for column in return_lines.c)
_insert = insert_many(returns, *_COLUMNS)
_SAVE = _insert.on_conflict_do_update(
    index_elements=["order_id", "id"],
    set_={"received_at": _insert.excluded.received_at},
)
_insert_lines = insert_many(return_lines, *_LINE)
_SAVE_LINES = _insert_lines.on_conflict_do_update(
    index_elements=["order_id", "return_id", "line"],
    set_={"received": _insert_lines.excluded.received},
)


async def get(tx: Tx, order_id: UUID, id: UUID) -> Return | None:
    found = await tx.execute(
        _GET.where(returns.c.order_id == order_id, returns.c.id == id)
    )
    row = found.one_or_none()
    return None if row is None else _return(row)


async def find(tx: Tx, order_ids: Collection[UUID]) -> defaultdict[UUID, list[Return]]:
    """All returns of these orders, by order."""
    by_order: defaultdict[UUID, list[Return]] = defaultdict(list)
    if order_ids:
        for row in await tx.execute(_FIND, {"ids": list(order_ids)}):
            by_order[row.order_id].append(_return(row))
    return by_order


async def find_page(tx: Tx, window: Window, *, order_id: UUID) -> list[Return]:
    """An order's returns, the newest first."""
    query: Select[Any] = window.of(
        _GET.where(returns.c.order_id == order_id),
        func.coalesce(returns.c.authorised_at, returns.c.received_at),
        returns.c.id,
        newest_first=True,
    )
    return [_return(row) for row in await tx.execute(query)]


async def save(tx: Tx, changed: Sequence[Return]) -> None:
    """Save returns that are new, and what has come of those that are not."""
    if changed:
        await tx.execute(_SAVE, columns_of(_rows(changed), _COLUMNS))
        await tx.execute(_SAVE_LINES, columns_of(_line_rows(changed), _LINE))


def _return(row: Row[Any]) -> Return:
    return Return(
        id=row.id,
        order_id=row.order_id,
        lines=tuple(
            ReturnLine(line=line, quantity=quantity, received=received)
            for line, quantity, received in sorted(row.lines)
        ),
        reason=row.reason,
        authorised_at=row.authorised_at,
        expires_at=row.expires_at,
        received_at=row.received_at,
    )


def _rows(many: Sequence[Return]) -> list[dict[str, Any]]:
    return [{name: getattr(one, name) for name in _COLUMNS} for one in many]


def _line_rows(many: Sequence[Return]) -> list[dict[str, Any]]:
    return [
        {
            "order_id": one.order_id,
            "return_id": one.id,
            "line": line.line,
            "quantity": line.quantity,
            "received": line.received,
        }
        for one in many
        for line in one.lines
    ]
