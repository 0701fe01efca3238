"""What a service says of itself for the audit: sums first, then orders one by one.

Where two services know the same figure, it has the same name. Sums are kept by the
first byte of the order's id, so that who compares millions of orders goes down only
where the sums differ. `mixed` weighs each order's figure by its id: two mistakes that
cancel each other out in a sum do not in it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Numeric,
    Row,
    Select,
    Subquery,
    bindparam,
    cast,
    func,
    literal,
    select,
    union_all,
)

from chassis.database import Database, Tx
from chassis.outbox import RELAY, outbox, refusals, relay_cursor
from chassis.pages import Window

BUCKETS = 256
AT_ONCE = 16  # buckets in one statement: it stays short, however many orders there are
OFFENDERS = 20  # shown of each check
MODULUS = 2**31 - 1
PATIENCE_S = 60  # what is under way for longer than this is stuck
ORDERS = "orders"

Figures: TypeAlias = Mapping[str, int]
Query: TypeAlias = Select[*tuple[Any, ...]]
Among: TypeAlias = Callable[[ColumnElement[UUID]], ColumnElement[bool]]


@dataclass(frozen=True, kw_only=True)
class Part:
    """Figures of orders as one table has them: each of its rows adds to its order.

    `orders` is the figure by which orders are counted: 1 for each.
    """

    order_id: ColumnElement[UUID]
    figures: Mapping[str, ColumnElement[int]]
    where: Sequence[ColumnElement[bool]] = ()

    def rows(self, names: Sequence[str], among: Among) -> Query:
        figures = [
            cast(self.figures.get(name, literal(0)), BigInteger).label(name)
            for name in names
        ]
        return select(self.order_id.label("order_id"), *figures).where(
            among(self.order_id), *self.where
        )


@dataclass(frozen=True, kw_only=True)
class Check:
    """What always holds inside a service, as the query for what offends it.

    Its rows have `expected`, `actual`, and what it is about: `order_id`, `sku`, `what`.
    """

    name: str
    says: str
    offenders: Query


@dataclass(frozen=True, kw_only=True)
class Finding:
    """How a check went; at most so many of the rows that offend it."""

    check: Check
    offenders: Sequence[Row[Any]]
    more: bool


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """The sums over the orders whose ids begin with one byte."""

    first_byte: int
    orders: int
    figures: Figures
    mixed: Figures


@dataclass(frozen=True, kw_only=True)
class OrderFigures:
    order_id: UUID
    figures: Figures


@dataclass(frozen=True, kw_only=True)
class Digest:
    parts: Sequence[Part] = ()
    checks: Sequence[Check] = ()

    @cached_property
    def names(self) -> list[str]:
        named = {name for part in self.parts for name in part.figures}
        return sorted(named - {ORDERS})

    async def sum_up(self, database: Database) -> list[Bucket]:
        """The buckets that have orders. They are not of one moment: nothing waits."""
        if not self.parts:
            return []
        return [
            bucket
            for first in range(0, BUCKETS, AT_ONCE)
            for bucket in await database.transact(self._sum_up, first)
        ]

    async def find_orders(
        self, tx: Tx, window: Window, *, bucket: int
    ) -> list[OrderFigures]:
        low, high = _ids(bucket, bucket)
        query = self._per_order(lambda order_id: order_id.between(low, high))
        page = window.of(select(query), query.c.order_id)
        return self._orders(await tx.execute(page))

    async def get_orders(self, tx: Tx, ids: Sequence[UUID]) -> list[OrderFigures]:
        query = self._per_order(lambda order_id: order_id.in_(ids))
        return self._orders(await tx.execute(select(query).order_by(query.c.order_id)))

    async def examine(self, database: Database) -> list[Finding]:
        return [
            await database.transact(_examine, check) for check in (*OURS, *self.checks)
        ]

    async def _sum_up(self, tx: Tx, first: int) -> list[Bucket]:
        low, high = _ids(first, first + AT_ONCE - 1)
        found = await tx.execute(self._sums, {"low": low, "high": high})
        return [
            Bucket(
                first_byte=row["byte"],
                orders=row[ORDERS],
                figures={name: row[name] for name in self.names},
                mixed={name: row[f"{name} mixed"] for name in self.names},
            )
            for row in found.mappings()
        ]

    @cached_property
    def _sums(self) -> Query:
        """Built once: that takes longer than to run it."""
        rows = self._rows(lambda id_: id_.between(bindparam("low"), bindparam("high")))
        byte = func.get_byte(func.uuid_send(rows.c.order_id), 0)
        sums = [_sum(rows.c[name]).label(name) for name in (ORDERS, *self.names)]
        mixed = [
            _mixed(rows.c[name], rows.c.order_id).label(f"{name} mixed")
            for name in self.names
        ]
        return select(byte.label("byte"), *sums, *mixed).group_by(byte).order_by(byte)

    def _rows(self, among: Among) -> Subquery:
        names = (ORDERS, *self.names)
        return union_all(*(part.rows(names, among) for part in self.parts)).subquery()

    def _per_order(self, among: Among) -> Subquery:
        rows = self._rows(among)
        sums = [_sum(rows.c[name]).label(name) for name in self.names]
        return select(rows.c.order_id, *sums).group_by(rows.c.order_id).subquery()

    def _orders(self, found: Any) -> list[OrderFigures]:
        return [
            OrderFigures(
                order_id=row["order_id"],
                figures={name: row[name] for name in self.names},
            )
            for row in found.mappings()
        ]


def _ids(first: int, last: int) -> tuple[UUID, UUID]:
    """The least and the greatest id that begin with one of these bytes."""
    return UUID(int=first << 120), UUID(int=(last + 1 << 120) - 1)


def _sum(figure: ColumnElement[int]) -> ColumnElement[int]:
    return cast(func.coalesce(func.sum(figure), 0), BigInteger)


def _mixed(
    figure: ColumnElement[int], order_id: ColumnElement[UUID]
) -> ColumnElement[int]:
    raw = func.uuid_send(order_id)
    weight = func.get_byte(raw, 1) * 256 + func.get_byte(raw, 2) + 1
    weighed = func.sum(cast(figure, Numeric) * weight)
    return cast(func.coalesce(func.mod(weighed, MODULUS), 0), BigInteger)


async def _examine(tx: Tx, check: Check) -> Finding:
    rows = (await tx.execute(check.offenders.limit(OFFENDERS + 1))).all()
    return Finding(check=check, offenders=rows[:OFFENDERS], more=len(rows) > OFFENDERS)


def long_ago() -> ColumnElement[Any]:
    """What is older than this is no longer just under way."""
    return func.now() - func.make_interval(0, 0, 0, 0, 0, 0, PATIENCE_S)


_out = select(relay_cursor.c.published).where(relay_cursor.c.name == RELAY)
_waiting = (
    select(outbox.c.id)
    .where(
        outbox.c.position.is_(None) | (outbox.c.position > _out.scalar_subquery()),
        outbox.c.time < long_ago(),
    )
    .subquery()
)

# What holds in every service.
OURS = (
    Check(
        name="outbox_drained",
        says="no event waits to be published for more than a minute",
        offenders=select(
            literal("events").label("what"),
            literal(0).label("expected"),
            func.count().label("actual"),
        )
        .select_from(_waiting)
        .having(func.count() > 0),
    ),
    Check(
        name="every_event_taken",
        says="SNS has refused no event for ever",
        offenders=select(
            (outbox.c.type + " " + outbox.c.subject).label("what"),
            literal(0).label("expected"),
            literal(1).label("actual"),
        ).where(refusals.c.event_id == outbox.c.id, refusals.c.time == outbox.c.time),
    ),
)
