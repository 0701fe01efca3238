"""What nobody has answered, and since when."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select, text

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
    due = _is_due(orders, orders.c.placed_at, patience.first, at)
    query = select(orders.c.id).where(orders.c.decided_at.is_(None), due)
    return list((await tx.execute(query.limit(limit))).scalars())


async def find_unanswered(
    tx: Tx, patience: Patience, at: datetime, *, limit: int
) -> list[UUID]:
    """The orders with cancellations that are to be announced again by now."""
    due = _is_due(cancellations, cancellations.c.requested_at, patience.first, at)
    query = select(cancellations.c.order_id).where(
        cancellations.c.decided_at.is_(None), due
    )
    return list(set((await tx.execute(query.limit(limit))).scalars()))


async def next_due(tx: Tx, patience: Patience) -> datetime | None:
    """When something is due next; none: everything is decided and answered."""
    undecided = _first(orders, orders.c.placed_at, patience.first)
    unanswered = _first(cancellations, cancellations.c.requested_at, patience.first)
    found = await tx.execute(select(func.least(undecided, unanswered)))
    due: datetime | None = found.scalar_one()
    return due


def _is_due(
    table: Any, began: ColumnElement[datetime], first: timedelta, at: datetime
) -> ColumnElement[bool]:
    never_rescued = and_(table.c.rescue_at.is_(None), began <= at - first)
    return or_(never_rescued, table.c.rescue_at <= at)


def _first(table: Any, began: ColumnElement[datetime], first: timedelta) -> Any:
    due = func.coalesce(table.c.rescue_at, began + first)
    return select(func.min(due)).where(table.c.decided_at.is_(None)).scalar_subquery()
