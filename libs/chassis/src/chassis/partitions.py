"""Tables partitioned by time: make the partitions that are coming, drop those that are over.

Dropping a partition costs nothing whatever it holds; deleting its rows one by one does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from sqlalchemy import text

from chassis.database import Tx

AHEAD = timedelta(days=40)  # a service may sleep this long and still know tomorrow


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


async def keep(tx: Tx, partitioned: Partitioned) -> None:
    """Bring the partitions up to date with the database's own calendar."""
    # Several processes do this; one at a time, and the others find it done.
    await tx.execute(
        text("SELECT pg_advisory_xact_lock(hashtext('partitions'), hashtext(:table))"),
        {"table": partitioned.table},
    )
    today = (
        await tx.execute(text("SELECT (now() AT TIME ZONE 'utc')::date"))
    ).scalar_one()
    there = set(
        (
            await tx.execute(
                text(
                    "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
                    " WHERE i.inhparent = to_regclass(:table)"
                ),
                {"table": partitioned.table},
            )
        ).scalars()
    )
    wanted = {
        partitioned.name(start): (start, end) for start, end in partitioned.spans(today)
    }
    for name in sorted(wanted.keys() - there):
        start, end = wanted[name]
        # Attaching, unlike CREATE … PARTITION OF, lets reads and writes go on.
        await tx.execute(
            text(f'CREATE TABLE "{name}" (LIKE {partitioned.table} INCLUDING ALL)')
        )
        await tx.execute(
            text(
                f'ALTER TABLE {partitioned.table} ATTACH PARTITION "{name}"'
                f" FOR VALUES FROM ('{start}') TO ('{end}')"
            )
        )
    oldest = partitioned.name(partitioned.first(today))
    for name in sorted(name for name in there - wanted.keys() if name < oldest):
        await tx.execute(text(f'DROP TABLE "{name}"'))
