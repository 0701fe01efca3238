"""Orders in and out of the database: always sets, always locked in the order of ids."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any
from uuid import UUID

from msgspec import json
from msgspec.structs import fields, replace
from sqlalchemy import (
    ARRAY,
    JSON,
    Integer,
    Select,
    Text,
    Uuid,
    any_,
    bindparam,
    func,
    insert,
    literal_column,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.sql.elements import Grouping

from chassis.database import (
    NEW,
    Tx,
    columns_from,
    insert_many,
    places_of,
    rows_from_arrays,
    run,
    update_many,
)
from contracts.accounting import PaymentStatus
from contracts.orders import Channel, PaymentMethod, Policy
from orders.domain.lines import Line
from orders.domain.orders import (
    Accounted,
    Address,
    Attention,
    Order,
    Payment,
    PaymentKey,
    Shipping,
    Standing,
    Status,
)
from orders.schema import order_lines, orders

_IDS = any_(bindparam("ids", type_=ARRAY(Uuid)))
# What every order is when it is placed.
_NEW = {
    "status": Status.PLACED.value,
    "version": 1,
    "reservation_version": 0,
    "sequence": 1,
    "payment_version": 0,
}
_NO_UNITS = ("reserved", "backordered", "shipped", "cancelled", "returned")
# Where in an order its columns are, but for those that are called the same.
_ELSEWHERE = {
    "attention": "overdue",
    **{f"shipping_{part.name}": f"shipping.{part.name}" for part in fields(Shipping)},
    **{f"payment_{part.name}": f"payment.{part.name}" for part in fields(Payment)},
}


def _address(order: Order) -> str:
    return json.encode(order.ship_to).decode()


_PLACES: Mapping[str, Callable[[Order], Any]] = {
    **places_of(orders.c.keys(), _ELSEWHERE),
    "ship_to": _address,
}
# What is placed: the rest is the database's to give, or is not known yet.
_ORDER = {
    name: place
    for name, place in _PLACES.items()
    if orders.c[name].server_default is None
    and name not in {"rescue_at", "attention", "decided_at", *_NEW}
}
# An order's line knows its order, and when it was placed, by being in it.
_LINE_FIELDS = tuple(part.name for part in fields(Line))
_LINE = {name: attrgetter(name) for name in _LINE_FIELDS}
# What is sent of a new one: all its units are pending, and the rest its order knows.
_NEW_LINES = {
    name: place for name, place in _LINE.items() if name not in {"pending", *_NO_UNITS}
}

# One round trip: lines of orders that were not new are left out again.
_added = (
    insert_many(orders, *_ORDER, **_NEW)
    .on_conflict_do_nothing()
    .returning(orders.c.id, orders.c.serial, orders.c.placed_at)
    .cte("added")
)
_lines = rows_from_arrays(
    *((f"line_{name}", order_lines.c[name].type) for name in ("order_id", *_NEW_LINES))
)
_line = {
    "order_id": _added.c.id,
    "placed_at": _added.c.placed_at,
    "pending": _lines.c.line_quantity,
    **{name: _lines.c[f"line_{name}"] for name in _NEW_LINES},
    **dict.fromkeys(_NO_UNITS, literal_column("0")),
}
_added_lines = (
    insert(order_lines)
    .from_select(
        list(_line),
        select(*_line.values()).join(_added, _added.c.id == _lines.c.line_order_id),
    )
    .cte("added_lines")
)
_ADD = select(_added.c.id, _added.c.serial).add_cte(_added_lines)

_theirs = order_lines.alias("theirs")  # a query may look for lines by itself
_LINES = (
    select(
        func.json_agg(
            aggregate_order_by(
                func.json_build_array(*(_theirs.c[name] for name in _LINE_FIELDS)),
                _theirs.c.line,
            ),
            type_=JSON,
        )
    )
    .where(_theirs.c.order_id == orders.c.id)
    .scalar_subquery()
    .label("lines")
)


def with_lines(query: Select[Any]) -> Select[Any]:
    """What `find` takes: orders as they are, each with its lines."""
    return query.add_columns(_LINES)


_GET = with_lines(select(orders)).where(orders.c.id == _IDS)
# Who waits for an order would have its lines as they were before: they are read once it
# is held.
_GET_FOR_UPDATE = (
    select(orders).where(orders.c.id == _IDS).order_by(orders.c.id).with_for_update()
)
_STANDING = tuple(
    "attention" if part.name == "overdue" else part.name
    for part in fields(Standing)
    if part.name != "lines"
)
_GET_STANDING_FOR_UPDATE = _GET_FOR_UPDATE.with_only_columns(
    *(orders.c[name] for name in _STANDING)
)
_GET_ACCOUNTED_FOR_UPDATE = _GET_FOR_UPDATE.with_only_columns(
    *(orders.c[part.name] for part in fields(Accounted))
)
_GET_LINES = (
    select(order_lines.c.order_id, *(order_lines.c[name] for name in _LINE_FIELDS))
    .where(order_lines.c.order_id == _IDS)
    .order_by(order_lines.c.order_id, order_lines.c.line)
)

_payments = rows_from_arrays(("provider", Text()), ("reference", Text()))
_FIND_BY_PAYMENT = with_lines(select(orders)).join(
    _payments,
    tuple_(orders.c.payment_provider, orders.c.payment_reference)
    == tuple_(_payments.c.provider, _payments.c.reference),
)

_FIND_DECIDED = select(orders.c.id).where(
    orders.c.id == _IDS, orders.c.decided_at.is_not(None)
)

_CHANGING = tuple(name for name in _STANDING if name not in {"id", "placed_at"})
# Most orders that are saved together stand alike: how they do is sent once, and each
# tells by a number which of it is its own.
_STANDS = attrgetter(*(_ELSEWHERE.get(name, name) for name in _CHANGING))
_stand = rows_from_arrays((f"{NEW}id", Uuid()), (f"{NEW}stand", Integer()))
_SAVE = (
    update(orders)
    .where(orders.c.id == _stand.c[f"{NEW}id"])
    .values(
        {
            name: Grouping(bindparam(NEW + name, type_=ARRAY(orders.c[name].type)))[
                _stand.c[f"{NEW}stand"]
            ]
            for name in _CHANGING
        }
    )
)

_ACCOUNTING = ("version", "updated_at", "payment_status", "payment_version")
_NEWLY_ACCOUNTED = places_of(("id", *_ACCOUNTING), {})
_SAVE_ACCOUNTED = update_many(orders, ("id",), _ACCOUNTING)

_UNITS = ("pending", *_NO_UNITS)
_MOVED_LINES = {name: _LINE[name] for name in ("line", *_UNITS)}
_moved_lines = update_many(order_lines, ("order_id", "line"), _UNITS)
# Of most orders all is reserved, once they are decided: their ids tell it.
_reserved_lines = (
    update(order_lines)
    .where(order_lines.c.order_id == any_(bindparam("reserved", type_=ARRAY(Uuid))))
    .values(
        dict.fromkeys(_UNITS, literal_column("0"))
        | {"reserved": order_lines.c.quantity}
    )
)
_SAVE_SETTLED = _SAVE.add_cte(
    _moved_lines.cte("moved_lines"), _reserved_lines.cte("reserved_lines")
)


async def add(tx: Tx, placed: Iterable[Order]) -> list[Order]:
    """Store the orders whose id and payment are new; these come back, with numbers."""
    # Two processes with the same orders take turns instead of blocking each other.
    in_order = sorted(placed, key=lambda order: order.id)
    heads = columns_from(in_order, _ORDER)
    lines = _line_columns(in_order, _NEW_LINES, prefix="line_")
    found = await run(tx, _ADD, heads | lines)
    serials: dict[UUID, int] = {row.id: row.serial for row in found}
    return [
        replace(order, serial=serials[order.id])
        for order in in_order
        if order.id in serials
    ]


async def get_many(tx: Tx, ids: Collection[UUID]) -> dict[UUID, Order]:
    """The orders, each with its lines as they were at one moment."""
    found = await run(tx, _GET, {"ids": list(ids)}) if ids else ()
    return {row.id: _whole(row) for row in found}


async def get_for_update(tx: Tx, ids: Collection[UUID]) -> dict[UUID, Order]:
    """The orders, held until the transaction ends."""
    if not ids:
        return {}
    rows = await run(tx, _GET_FOR_UPDATE, {"ids": list(ids)})
    lines = await _lines_of(tx, [row.id for row in rows])
    return {row.id: _order(row, tuple(lines[row.id])) for row in rows}


async def get_standing_for_update(
    tx: Tx, ids: Collection[UUID]
) -> dict[UUID, Standing]:
    """Where the orders stand; they are held until the transaction ends."""
    rows = await run(tx, _GET_STANDING_FOR_UPDATE, {"ids": list(ids)})
    lines = await _lines_of(tx, [row.id for row in rows])
    return {
        id_: Standing(
            id_,
            tuple(lines[id_]),
            placed_at,
            updated_at,
            Status(status),
            attention and Attention(attention),
            *numbers_and_times,
        )
        for id_, placed_at, updated_at, status, attention, *numbers_and_times in rows
    }


async def get_accounted_for_update(
    tx: Tx, ids: Collection[UUID]
) -> dict[UUID, Accounted]:
    """How far the orders are paid; they are held until the transaction ends."""
    rows = await run(tx, _GET_ACCOUNTED_FOR_UPDATE, {"ids": list(ids)})
    return {
        id_: Accounted(
            id_,
            version,
            placed_at,
            updated_at,
            PaymentMethod(method),
            PaymentStatus(status),
            heard,
        )
        for id_, version, placed_at, updated_at, method, status, heard in rows
    }


async def find_by_payment(
    tx: Tx, keys: Collection[PaymentKey]
) -> dict[PaymentKey, Order]:
    if not keys:
        return {}
    providers, references = zip(*keys, strict=True)
    given = {"provider": providers, "reference": references}
    found = map(_whole, await run(tx, _FIND_BY_PAYMENT, given))
    return {order.payment.key: order for order in found}


async def find(tx: Tx, query: Select[Any]) -> list[Order]:
    """The orders of these rows, in their order."""
    return [*map(_whole, await tx.execute(query))]


async def find_customer(tx: Tx, id: UUID) -> str | None:
    """Whose order it is; none: there is no such order."""
    found = await tx.execute(select(orders.c.customer_id).where(orders.c.id == id))
    return found.scalar_one_or_none()


async def find_decided(tx: Tx, ids: Iterable[str]) -> set[str]:
    found = await tx.execute(_FIND_DECIDED, {"ids": list(map(UUID, ids))})
    return set(map(str, found.scalars()))


async def save(tx: Tx, changed: Sequence[Standing]) -> None:
    """Save where the orders themselves stand."""
    if changed:
        await run(tx, _SAVE, _standing_columns(changed))


async def save_accounted(tx: Tx, changed: Sequence[Accounted]) -> None:
    if changed:
        columns = columns_from(changed, _NEWLY_ACCOUNTED, prefix=NEW)
        await run(tx, _SAVE_ACCOUNTED, columns)


async def save_settled(tx: Tx, changed: Sequence[Standing]) -> None:
    """Save where the orders stand, and where the units of their lines are."""
    if changed:
        reserved = {order.id for order in changed if order.is_reserved}
        moved = [order for order in changed if order.id not in reserved]
        await run(
            tx,
            _SAVE_SETTLED,
            _standing_columns(changed)
            | _line_columns(moved, _MOVED_LINES, prefix=NEW)
            | {"reserved": list(reserved)},
        )


def _whole(row: Any) -> Order:
    return _order(row, tuple(Line(*values) for values in row.lines or ()))


async def _lines_of(tx: Tx, ids: Sequence[UUID]) -> defaultdict[UUID, list[Line]]:
    lines: defaultdict[UUID, list[Line]] = defaultdict(list)
    for order_id, *values in await run(tx, _GET_LINES, {"ids": ids}):
        lines[order_id].append(Line(*values))
    return lines


def _order(row: Any, lines: tuple[Line, ...]) -> Order:
    return Order(
        id=row.id,
        client=row.client,
        fingerprint=row.fingerprint,
        serial=row.serial,
        parent_id=row.parent_id,
        channel=Channel(row.channel),
        customer_id=row.customer_id,
        reference=row.reference,
        currency=row.currency,
        policy=Policy(row.policy),
        lines=lines,
        shipping=Shipping(
            price=row.shipping_price,
            tax=row.shipping_tax,
            tax_rate=row.shipping_tax_rate,
        ),
        ship_to=Address(**row.ship_to),
        payment=_payment(row),
        hold_id=row.hold_id,
        total=row.total,
        status=Status(row.status),
        overdue=row.attention and Attention(row.attention),
        events_stuck=row.events_stuck,
        version=row.version,
        reservation_version=row.reservation_version,
        sequence=row.sequence,
        placed_at=row.placed_at,
        decided_at=row.decided_at,
        updated_at=row.updated_at,
        rescue_at=row.rescue_at,
        answers_announced=row.answers_announced,
        shipments_announced=row.shipments_announced,
        receipts_announced=row.receipts_announced,
    )


def _payment(row: Any) -> Payment:
    return Payment(
        method=PaymentMethod(row.payment_method),
        provider=row.payment_provider,
        reference=row.payment_reference,
        captured=row.payment_captured,
        net_days=row.payment_net_days,
        status=PaymentStatus(row.payment_status),
        version=row.payment_version,
    )


def _standing_columns(changed: Sequence[Standing]) -> dict[str, Sequence[Any]]:
    stands: dict[tuple[Any, ...], int] = {}  # each with its number
    numbers = [stands.setdefault(one, len(stands) + 1) for one in map(_STANDS, changed)]
    columns: dict[str, Sequence[Any]] = dict(
        zip(_CHANGING, zip(*stands, strict=True), strict=True)
    )
    columns |= {"id": [order.id for order in changed], "stand": numbers}
    return {NEW + name: values for name, values in columns.items()}


def _line_columns(
    of: Sequence[Standing], places: Mapping[str, Callable[[Line], Any]], prefix: str
) -> dict[str, list[Any]]:
    lines = [line for order in of for line in order.lines]
    return columns_from(lines, places, prefix) | {
        f"{prefix}order_id": [order.id for order in of for _ in order.lines]
    }
