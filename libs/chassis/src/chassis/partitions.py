"""Tables partitioned by time: make what is coming, drop what is over.

Dropping a partition costs nothing whatever it holds; deleting its rows one by one does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from sqlalchemy import text

from chassis.database import Tx

AHEAD = timedelta(days=40)  # a service may sleep this long and still know tomorrow
GIVES_WAY_AFTER_MS = 50


@dataclass(frozen=True, kw_only=True)
class Partitioned:
    table: str
    by: Literal["day", "month"]
    keep: timedelta

    def first(self, today: date) -> date:
        return self._start(today - self.keep)

    def _start(self, day: date) -> date:
        return day.replace(day=1) if self.by == "month" else day

    def _next(self, start: date) -> date:
        if self.by == "day":
            return start + timedelta(days=1)
        return (start + timedelta(days=32)).replace(day=1)

    def spans(self, today: date) -> Iterator[tuple[date, date]]:
        """The partitions that should be there: all that is kept, and what is coming."""
        start = self.first(today)
        while start <= today + AHEAD:
            yield start, self._next(start)
            start = self._next(start)

    def name(self, start: date) -> str:
        return (
            f"{self.table}_{start:%Y%m%d}"
            if self.by == "day"
            else f"{self.table}_{start:%Y%m}"
        )


_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('partitions'), hashtext(:table))")
_TODAY = text("SELECT CAST(now() AT TIME ZONE 'utc' AS date)")
_THERE = text(
    "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
    " WHERE i.inhparent = to_regclass(:table)"
)


async def make_coming(tx: Tx, partitioned: Partitioned) -> None:
    """See that all partitions are there which the database's calendar asks for."""
    table = partitioned.table
    there, today = await _look(tx, table)
    for start, end in partitioned.spans(today):
        name = partitioned.name(start)
        if name in there:
            continue
        # Attaching, unlike CREATE … PARTITION OF, lets reads and writes go on.
        await tx.execute(text(f'CREATE TABLE "{name}" (LIKE {table} INCLUDING ALL)'))
        await tx.execute(
            text(
                f'ALTER TABLE {table} ATTACH PARTITION "{name}"'
                f" FOR VALUES FROM ('{start}') TO ('{end}')"
            )
        )


async def drop_old(tx: Tx, partitioned: Partitioned) -> None:
    """Drop what is older than is kept, unless somebody reads the table just now."""
    there, today = await _look(tx, partitioned.table)
    oldest = partitioned.name(partitioned.first(today))
    # Dropping locks the whole table: waiting for it would make all others wait.
    await tx.execute(text(f"SET LOCAL lock_timeout = {GIVES_WAY_AFTER_MS}"))
    for name in sorted(name for name in there if name < oldest):
        await tx.execute(text(f'DROP TABLE "{name}"'))


async def _look(tx: Tx, table: str) -> tuple[set[str], date]:
    """What is there, and the day; with a lock, as several processes do this."""
    await tx.execute(_LOCK, {"table": table})
    there = await tx.execute(_THERE, {"table": table})
    today = await tx.execute(_TODAY)
    return set(there.scalars()), today.scalar_one()
