"""Periods: which are closed, what they came to, and what of one is still loose."""

from datetime import date, datetime

from msgspec import Struct
from sqlalchemy import ColumnElement, Date, func, insert, select, text

from accounting.domain.periods import Month
from accounting.schema import closed_periods
from chassis.database import Tx

_HOLD_ALL = text("SELECT pg_advisory_xact_lock(hashtext('periods'))")
_FIRST_OPEN_MONTH = text(
    """
    SELECT coalesce(
        (SELECT max(month) + interval '1 month' FROM closed_periods),
        (SELECT date_trunc('month', min(effective_on)) FROM entries)
    )::date
    """
)
_LOOSE = text(
    """
    SELECT
        (SELECT count(*) FROM parked_facts
         WHERE CAST(time AT TIME ZONE 'utc' AS date) < CAST(:until AS date)),
        (SELECT count(*) FROM documents
         WHERE number IS NULL AND issued_on < CAST(:until AS date))
    """
)
# On top of what the month before came to: a closed month is never summed again.
_KEEP_BALANCES = text(
    """
    INSERT INTO period_balances (month, account, currency, debit, credit)
    SELECT CAST(:month AS date), account, currency, sum(debit), sum(credit) FROM (
        SELECT account, currency, debit, credit
        FROM period_balances WHERE month = :before
        UNION ALL
        SELECT account, currency, debit, credit
        FROM entries JOIN postings ON entry_id = id
        WHERE effective_on <= :last AND (
            effective_on >= CAST(:month AS date)
            OR NOT EXISTS (SELECT FROM closed_periods WHERE month = :before)
        )
    ) AS posted
    GROUP BY account, currency
    """
)


class Period(Struct, frozen=True, kw_only=True):
    """A month, and since when and by whom it is closed, if it is."""

    month: Month
    closed_at: datetime | None
    closed_by: str | None


# Before this day nothing can be posted any more. Whoever asks keeps the periods as they
# are until the transaction ends.
open_period = select(func.first_open_day(type_=Date).label("first_day")).subquery(
    "open_period"
)


def in_open_period(day: ColumnElement[date]) -> ColumnElement[date]:
    """The day, or the first one of the first open period if its own is closed."""
    return func.greatest(day, open_period.c.first_day, type_=Date)


async def hold_all(tx: Tx) -> None:
    """Wait for the postings under way; new ones wait until `tx` ends."""
    await tx.execute(_HOLD_ALL)


async def get_closed(tx: Tx, month: Month) -> Period | None:
    query = select(closed_periods).where(closed_periods.c.month == month.first)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        return None
    return Period(month=month, closed_at=row.closed_at, closed_by=row.closed_by)


async def first_open_month(tx: Tx) -> Month | None:
    """The month to be closed next; None as long as nothing was ever posted."""
    first: date | None = (await tx.execute(_FIRST_OPEN_MONTH)).scalar_one()
    return Month(first) if first else None


async def count_loose(tx: Tx, month: Month) -> tuple[int, int]:
    """Facts parked and documents unnumbered that belong in the month, or before."""
    counted = await tx.execute(_LOOSE, {"until": month.next.first})
    parked, unnumbered = counted.one()
    return parked, unnumbered


async def close(tx: Tx, month: Month, closed_by: str) -> Period:
    """Keep what the books came to at the end of the month, and shut it."""
    days = {
        "month": month.first,
        "last": month.last,
        "before": month.before.first,
    }
    await tx.execute(_KEEP_BALANCES, days)
    closing = insert(closed_periods).values(month=month.first, closed_by=closed_by)
    closed_at = await tx.execute(closing.returning(closed_periods.c.closed_at))
    return Period(month=month, closed_at=closed_at.scalar_one(), closed_by=closed_by)


async def find(tx: Tx, current: Month) -> list[Period]:
    """The closed months, and the open ones until this one; the newest first."""
    rows = (await tx.execute(select(closed_periods))).all()
    closed = {Month(row.month): row for row in rows}
    month = min(closed) if closed else await first_open_month(tx)
    months = []
    while month is not None and month <= current:
        months.append(month)
        month = month.next
    return [
        Period(
            month=month,
            closed_at=closed[month].closed_at if month in closed else None,
            closed_by=closed[month].closed_by if month in closed else None,
        )
        for month in reversed(months)
    ]
