"""What this service has handled: each event's effect happens once, however often it comes.

Events from outside the days that are kept are not remembered here; every effect has a
business key for ever, so that they change nothing either.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Column, Date, MetaData, PrimaryKeyConstraint, Table, Uuid
from sqlalchemy.dialects.postgresql import Insert

from chassis.database import Tx, insert_many
from chassis.events import Envelope, Event
from chassis.partitions import AHEAD, Partitioned

PARTITIONS = Partitioned(table="inbox", by="day", keep=timedelta(days=30))
_SLACK = timedelta(days=2)  # the edge of what the partitions cover may just have moved

metadata = MetaData()

inbox = Table(
    "inbox",
    metadata,
    Column("day", Date, nullable=False),
    Column("event_id", Uuid, nullable=False),
    PrimaryKeyConstraint("day", "event_id"),
    postgresql_partition_by="RANGE (day)",
)

_CLAIM: Insert = (
    insert_many(inbox, "day", "event_id")
    .on_conflict_do_nothing()
    .returning(inbox.c.event_id)
)


async def claim(tx: Tx, events: Sequence[Envelope[Event]]) -> list[Envelope[Event]]:
    """The events not handled before, each once; with the commit they count as handled."""
    distinct = {event.id: event for event in events}
    today = datetime.now(UTC).date()
    kept = {e.id: day for e in distinct.values() if _is_kept(day := _day(e), today)}
    if kept:
        # One order for everybody, so that two processes with the same events take turns.
        ids = sorted(kept)
        claimed = await tx.execute(
            _CLAIM, {"day": [kept[id_] for id_ in ids], "event_id": ids}
        )
        fresh = set(claimed.scalars())
        return [e for e in distinct.values() if e.id not in kept or e.id in fresh]
    return list(distinct.values())


def _day(event: Envelope[Event]) -> date:
    return event.time.astimezone(UTC).date()


def _is_kept(day: date, today: date) -> bool:
    return today - PARTITIONS.keep + _SLACK <= day <= today + AHEAD - _SLACK
