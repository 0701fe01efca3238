"""What nobody has answered, and since when."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    Table,
    func,
    select,
    text,
    union_all,
)

from chassis.database import Tx
from chassis.outbox import RELAY
from orders.domain.rescues import Patience
from orders.schema import cancellations, orders

# Published by their positions, and numbered before.
_BEHIND = text(
    """
    SELECT EXISTS (
        SELECT FROM outbox, relay_cursor
        WHERE relay_cursor.name = :name AND position > published AND time < :before
    ) OR EXISTS (SELECT FROM outbox WHERE position IS NULL AND time < :before)
    """
)


async def is_outbox_behind(tx: Tx, *, before: datetime) -> bool:
    """Whether events from before then have not been published yet."""
    found = await tx.execute(_BEHIND, {"name": RELAY, "before": before})
    return bool(found.scalar_one())


async def find_undecided(
    tx: Tx, patience: Patience, at: datetime, *, limit: int
) -> list[UUID]:
    """The orders that are to be announced again by now."""
    waiting = _undecided(patience, limit)
    return list((await tx.execute(_due(waiting, at, limit))).scalars())


async def find_unanswered(
    tx: Tx, patience: Patience, at: datetime, *, limit: int
) -> list[UUID]:
    """The orders with cancellations that are to be announced again by now."""
    waiting = _unanswered(patience, limit)
    return list(set((await tx.execute(_due(waiting, at, limit))).scalars()))


async def next_due(tx: Tx, patience: Patience) -> datetime | None:
    """When something is due next; none: everything is decided and answered."""
    waiting = (_undecided(patience, 1), _unanswered(patience, 1))
    firsts = (select(func.min(first.c.due)).scalar_subquery() for first in waiting)
    due: datetime | None = await tx.scalar(select(func.least(*firsts)))
    return due


def _undecided(patience: Patience, limit: int) -> Subquery:
    return _first(orders, orders.c.id, orders.c.placed_at, patience, limit)


def _unanswered(patience: Patience, limit: int) -> Subquery:
    asked = cancellations
    return _first(asked, asked.c.order_id, asked.c.requested_at, patience, limit)


def _first(
    table: Table,
    order_id: ColumnElement[UUID],
    began: ColumnElement[datetime],
    patience: Patience,
    limit: int,
) -> Subquery:
    """Who is due first, of those announced again before and of those who were not: two
    ends of one index, which take no longer when a million wait."""
    again = table.c.rescue_at
    waits = select(order_id.label("order_id")).where(table.c.decided_at.is_(None))
    before = waits.add_columns(again.label("due")).where(again.is_not(None))
    never = waits.add_columns((began + patience.first).label("due")).where(
        again.is_(None)
    )
    return union_all(
        *(
            select(first.limit(limit).subquery())
            for first in (before.order_by(again), never.order_by(again, began))
        )
    ).subquery()


def _due(waiting: Subquery, at: datetime, limit: int) -> Select[UUID]:
    overdue = select(waiting.c.order_id).where(waiting.c.due <= at)
    return overdue.order_by(waiting.c.due).limit(limit)
