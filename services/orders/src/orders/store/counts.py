"""How many orders there are, of late and in need of somebody: exact, and never by
looking at all of them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Double, Select, func, select

from chassis.database import Tx
from orders.domain.orders import Status
from orders.schema import NEEDS_ATTENTION, orders

MOST_RECENT = 200_000  # orders whose minutes are told; they take a tenth of a second
MOST_TIMED = 10_000  # and these take a hundredth
MOST_WAITING = 10_000
A_MINUTE = timedelta(minutes=1)


class Times(Struct, frozen=True, kw_only=True):
    """Seconds that most of some orders took."""

    orders: int
    median: float
    p95: float


class Counts(Struct, frozen=True, kw_only=True):
    as_of: datetime
    placed: Mapping[datetime, int]  # by the minute; of the first on, all are counted
    states: Mapping[Status, int]  # of these orders, as they are now
    time_to_decide: Times | None  # of the newest of them, unless none is decided
    undecided: int
    attention: int


async def count(tx: Tx, customer_id: str | None, *, minutes: int) -> Counts:
    """The orders of the last minutes, the current one being the last of them."""
    own = [] if customer_id is None else [orders.c.customer_id == customer_id]
    as_of: datetime = (await tx.execute(select(func.now()))).scalar_one()
    current = as_of.replace(second=0, microsecond=0)
    first = current - A_MINUTE * (minutes - 1)
    rows = (await tx.execute(by_minute(first, own))).all()
    if sum(row.orders for row in rows) == MOST_RECENT:
        # The current one alone may be so many: then they stand for that or more.
        first = min(min(row.minute for row in rows) + A_MINUTE, current)
    placed: Counter[datetime] = Counter(
        {first + A_MINUTE * n: 0 for n in range((as_of - first) // A_MINUTE + 1)}
    )
    states: Counter[Status] = Counter()
    for row in rows:
        if row.minute in placed:
            placed[row.minute] += row.orders
            states[Status(row.status)] += row.orders
    return Counts(
        as_of=as_of,
        placed=placed,
        states=states,
        time_to_decide=await _time_to_decide(tx, first, own),
        undecided=await _bounded(tx, orders.c.decided_at.is_(None), *own),
        attention=await _bounded(tx, NEEDS_ATTENTION, *own),
    )


async def _time_to_decide(
    tx: Tx, first: datetime, own: Sequence[ColumnElement[bool]]
) -> Times | None:
    row = (await tx.execute(times(first, own))).one()
    if not row.orders:
        return None
    return Times(orders=row.orders, median=row.median, p95=row.p95)


def by_minute(first: datetime, own: Sequence[ColumnElement[bool]]) -> Select[Any]:
    newest = _newest(MOST_RECENT, first, own).subquery()
    minute = func.date_trunc("minute", newest.c.placed_at, "UTC").label("minute")
    return select(minute, newest.c.status, func.count().label("orders")).group_by(
        minute, newest.c.status
    )


def times(first: datetime, own: Sequence[ColumnElement[bool]]) -> Select[Any]:
    # Whether they are decided is asked after the limit: before it, a backlog would have
    # all of itself read.
    newest = _newest(MOST_TIMED, first, own).subquery()
    took = func.extract("epoch", newest.c.decided_at - newest.c.placed_at).cast(Double)
    return select(
        func.count(newest.c.decided_at).label("orders"),
        func.percentile_disc(0.5).within_group(took).label("median"),
        func.percentile_disc(0.95).within_group(took).label("p95"),
    )


def _newest(
    most: int, first: datetime, own: Sequence[ColumnElement[bool]]
) -> Select[Any]:
    return (
        select(orders.c.placed_at, orders.c.decided_at, orders.c.status)
        .where(orders.c.placed_at >= first, *own)
        .order_by(orders.c.placed_at.desc())
        .limit(most)
    )


async def _bounded(tx: Tx, *conditions: ColumnElement[bool]) -> int:
    some = select(orders.c.id).where(*conditions).limit(MOST_WAITING).subquery()
    return (await tx.execute(select(func.count()).select_from(some))).scalar_one()
