"""Orders as the books know them, and how far their facts are applied."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any
from uuid import UUID

from msgspec import json
from msgspec.structs import fields
from sqlalchemy import (
    BigInteger,
    RowMapping,
    Text,
    Uuid,
    any_,
    bindparam,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from accounting.domain.lines import Line, Run
from accounting.domain.orders import Order, Payment, Stage
from accounting.domain.positions import Position, Tally
from accounting.domain.shares import shipping
from accounting.schema import order_cursors, order_lines, orders
from chassis.database import (
    NEW,
    Row,
    Tx,
    columns_from,
    insert_many,
    places_of,
    rows_from_arrays,
    run,
    update_many,
)
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
# Where in an order its columns are, but for those that are called the same.
_ELSEWHERE = {
    "payment_method": "payment.method",
    "payment_provider": "payment.provider",
    "payment_reference": "payment.reference",
    "net_days": "payment.net_days",
    "payment_version": "position.version",
    "payment_status": "position.status",
    **{name: f"tally.{name}" for name in _SUMS},
}


def _ship_to(order: Order) -> str:
    if order.ship_to is None:
        raise ValueError("an order that is new says where it goes")
    return json.encode(order.ship_to).decode()


_ORDER: Mapping[str, Callable[[Order], Any]] = {
    **places_of(orders.c.keys(), _ELSEWHERE),
    "shipping_price": lambda order: order.shipping.unit_price if order.shipping else 0,
    "shipping_tax": lambda order: order.shipping.tax if order.shipping else 0,
    "shipping_tax_rate": lambda order: order.shipping and order.shipping.tax_rate,
    "ship_to": _ship_to,
}
_CHANGING = ("stage", "payment_version", "payment_status", *_SUMS)
_CHANGED = {name: _ORDER[name] for name in ("id", *_CHANGING)}
_LINE: Mapping[str, Callable[[Line], Any]] = {
    **{field.name: attrgetter(field.name) for field in fields(Line)},
    "shipped_runs": lambda line: json.encode(line.shipped_runs).decode(),
}
_MOVING = ("short", "shipped", "cancelled", "returned", "shipped_runs")
_MOVED = {name: _LINE[name] for name in ("line", *_MOVING)}
# Lines come with their order and only move later: an upsert would look for each.
SAVE = insert_many(order_lines, "order_id", *_LINE, prefix="line_").add_cte(
    update_many(order_lines, ("order_id", "line"), _MOVING).cte("moved_lines"),
    insert_many(orders, *_ORDER, prefix="order_").cte("added_orders"),
    update_many(orders, ("id",), _CHANGING).cte("changed_orders"),
)
# Where it goes is for papers, which read it themselves.
_GET_ORDERS = select(*(c for c in orders.c if c.name != "ship_to")).where(
    orders.c.id == _GIVEN
)
_READ_RUNS = json.Decoder(tuple[Run, ...])
_GET_LINES = (
    select(
        *(c for c in order_lines.c if c.name != "shipped_runs"),
        order_lines.c.shipped_runs.cast(Text),
    )
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
    """What `SAVE` takes: of orders what is new or has changed."""
    new: list[Order] = []
    changed: list[Order] = []
    moved: list[tuple[UUID, Line]] = []
    for order in after:
        known = before.get(order.id)
        if known is None:
            new.append(order)
            continue
        if _changing(known) != _changing(order):
            changed.append(order)
        pairs = zip(order.lines, known.lines, strict=True)
        moved += [(order.id, line) for line, was in pairs if line != was]
    new_lines = [line for order in new for line in order.lines]
    return {
        **columns_from(new, _ORDER, prefix="order_"),
        "line_order_id": [order.id for order in new for _ in order.lines],
        **columns_from(new_lines, _LINE, prefix="line_"),
        **columns_from(changed, _CHANGED, prefix=NEW),
        NEW + "order_id": [order_id for order_id, _ in moved],
        **columns_from([line for _, line in moved], _MOVED, prefix=NEW),
    }


def _changing(order: Order) -> tuple[Stage, Position, Tally]:
    return order.stage, order.position, order.tally


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
        placed_on=row["placed_on"],
        position=position(row),
        stage=Stage(row["stage"]),
        tally=Tally(
            invoiced=row["invoiced"],
            credited=row["credited"],
            paid=row["paid"],
            to_refund=row["to_refund"],
            refunded=row["refunded"],
        ),
    )


def position(row: Row | RowMapping) -> Position:
    return Position(
        version=row["payment_version"], status=PaymentStatus(row["payment_status"])
    )


def _line(row: Row) -> Line:
    return Line(
        line=row["line"],
        sku=row["sku"],
        quantity=row["quantity"],
        unit_price=row["unit_price"],
        discount=row["discount"],
        tax=row["tax"],
        tax_rate=row["tax_rate"],
        short=row["short"],
        shipped=row["shipped"],
        cancelled=row["cancelled"],
        returned=row["returned"],
        shipped_runs=_READ_RUNS.decode(row["shipped_runs"]),
    )
