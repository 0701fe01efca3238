"""Orders as the books know them, and how far their facts are applied."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from msgspec.structs import asdict
from sqlalchemy import BigInteger, RowMapping, Uuid, any_, bindparam, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from accounting.domain.lines import Line
from accounting.domain.orders import Order, Payment, Stage
from accounting.domain.positions import Position, Tally
from accounting.domain.shares import shipping
from accounting.schema import order_cursors, order_lines, orders
from chassis import database
from chassis.database import Row, Tx, insert_many, rows_from_arrays, run
from contracts.accounting import PaymentStatus
from contracts.orders import Channel, PaymentMethod

_GIVEN = any_(bindparam("ids", type_=ARRAY(Uuid)))

_absent = insert_many(order_cursors, "order_id")
_HOLD_CURSORS = _absent.on_conflict_do_update(
    index_elements=["order_id"],
    # Changes nothing, but waits for whoever has the row, and has it then.
    set_={"order_id": _absent.excluded.order_id},
).returning(order_cursors.c.order_id, order_cursors.c.applied)
_reached = rows_from_arrays(("reached_by", Uuid()), ("reached", BigInteger()))
MOVE_CURSORS = (
    update(order_cursors)
    .where(order_cursors.c.order_id == _reached.c.reached_by)
    .values(applied=_reached.c.reached)
)


async def hold(tx: Tx, ids: Collection[UUID]) -> dict[UUID, int]:
    """Hold the orders until the transaction ends; how many facts each has had.

    A cursor comes before the order it is about, so that also facts of an order that
    nobody knows yet take turns. In one order for everybody: no deadlocks.
    """
    held = await run(tx, _HOLD_CURSORS, {"order_id": sorted(ids)})
    return {row.order_id: row.applied for row in held}


def columns_of_cursors(applied: Mapping[UUID, int]) -> dict[str, list[Any]]:
    """What `MOVE_CURSORS` takes."""
    return {"reached_by": list(applied), "reached": list(applied.values())}


_SUMS = ("invoiced", "credited", "paid", "to_refund", "refunded")
_ORDER = tuple(column.name for column in orders.c)
_LINE = tuple(column.name for column in order_lines.c)
_add_orders = insert_many(orders, *_ORDER, prefix="order_")
_save_orders = _add_orders.on_conflict_do_update(
    index_elements=["id"],
    set_={
        name: _add_orders.excluded[name]
        for name in ("stage", "payment_version", "payment_status", *_SUMS)
    },
)
_add_lines = insert_many(order_lines, *_LINE, prefix="line_")
_save_lines = _add_lines.on_conflict_do_update(
    index_elements=["order_id", "line"],
    set_={
        name: _add_lines.excluded[name]
        for name in ("short", "shipped", "cancelled", "returned", "shipped_runs")
    },
)
SAVE = _save_lines.add_cte(_save_orders.cte("saved_orders"))
_GET_ORDERS = select(orders).where(orders.c.id == _GIVEN)
_GET_LINES = (
    select(order_lines)
    .where(order_lines.c.order_id == _GIVEN)
    .order_by(order_lines.c.order_id, order_lines.c.line)
)


async def get(tx: Tx, ids: Collection[UUID]) -> dict[UUID, Order]:
    if not ids:
        return {}
    wanted = {"ids": list(ids)}
    lines: defaultdict[UUID, list[Line]] = defaultdict(list)
    for row in await run(tx, _GET_LINES, wanted):
        lines[row["order_id"]].append(_line(row))
    rows = await run(tx, _GET_ORDERS, wanted)
    return {row["id"]: _order(row, lines[row["id"]]) for row in rows}


async def save(tx: Tx, before: Mapping[UUID, Order], after: Iterable[Order]) -> None:
    """Write what is new or has changed: never what was ordered."""
    await run(tx, SAVE, columns_of(before, after))


def columns_of(
    before: Mapping[UUID, Order], after: Iterable[Order]
) -> dict[str, list[Any]]:
    """What `SAVE` takes: of orders what has changed."""
    changed: list[dict[str, Any]] = []
    changed_lines: list[dict[str, Any]] = []
    for order in after:
        known = before.get(order.id)
        if known is None or _changing(known) != _changing(order):
            changed.append(_order_row(order))
        lines_before = set(known.lines) if known else set()
        changed_lines += [
            _line_row(order.id, line)
            for line in order.lines
            if line not in lines_before
        ]
    heads = database.columns_of(changed, _ORDER, prefix="order_")
    return heads | database.columns_of(changed_lines, _LINE, prefix="line_")


def _changing(order: Order) -> tuple[Stage, Position, Tally]:
    return order.stage, order.position, order.tally


def _order_row(order: Order) -> dict[str, Any]:
    shipping = order.shipping
    return {
        "id": order.id,
        "number": order.number,
        "channel": order.channel,
        "customer_id": order.customer_id,
        "currency": order.currency,
        "shipping_price": shipping.unit_price if shipping else 0,
        "shipping_tax": shipping.tax if shipping else 0,
        "shipping_tax_rate": shipping.tax_rate if shipping else None,
        "payment_method": order.payment.method,
        "payment_provider": order.payment.provider,
        "payment_reference": order.payment.reference,
        "net_days": order.payment.net_days,
        "ship_to": json.dumps(order.ship_to),
        "placed_on": order.placed_on,
        "payment_version": order.position.version,
        "payment_status": order.position.status,
        "stage": order.stage,
        **asdict(order.tally),
    }


def _order(row: Row, lines: Sequence[Line]) -> Order:
    return Order(
        id=row["id"],
        number=row["number"],
        channel=Channel(row["channel"]),
        customer_id=row["customer_id"],
        currency=row["currency"],
        lines=tuple(lines),
        shipping=shipping(
            row["shipping_price"], row["shipping_tax"], row["shipping_tax_rate"]
        ),
        payment=Payment(
            method=PaymentMethod(row["payment_method"]),
            provider=row["payment_provider"],
            reference=row["payment_reference"],
            net_days=row["net_days"],
        ),
        ship_to=row["ship_to"],
        placed_on=row["placed_on"],
        position=position(row),
        stage=Stage(row["stage"]),
        tally=Tally(**{name: row[name] for name in _SUMS}),
    )


def position(row: Row | RowMapping) -> Position:
    return Position(
        version=row["payment_version"], status=PaymentStatus(row["payment_status"])
    )


def _line_row(order_id: UUID, line: Line) -> dict[str, Any]:
    runs = json.dumps(line.shipped_runs)
    return {"order_id": order_id, **asdict(line), "shipped_runs": runs}


def _line(row: Row) -> Line:
    runs = tuple((first, end) for first, end in row["shipped_runs"])
    content = {name: row[name] for name in _LINE if name != "order_id"}
    return Line(**content | {"shipped_runs": runs})
