"""What this service has handled: an event has its effect once, however often it comes.

Events from outside the days that are kept are not remembered here; every effect has a
business key for ever, so that they change nothing either.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import (
    Column,
    Date,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Uuid,
    bindparam,
    delete,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.database import Tx, run
from chassis.events import Envelope, Event
from chassis.partitions import AHEAD, Partitioned

PARTITIONS = Partitioned(table="inbox", by="day", keep=timedelta(days=30))
# In days around today; the edge of what the partitions cover may just have moved.
_REMEMBERED = (PARTITIONS.keep.days - 2, AHEAD.days - 2)

metadata = MetaData()

inbox = Table(
    "inbox",
    metadata,
    Column("day", Date, nullable=False),
    Column("event_id", Uuid, nullable=False),
    PrimaryKeyConstraint("day", "event_id"),
    postgresql_partition_by="RANGE (day)",
)

# One order for everybody, so that two processes with the same events take turns.
_CLAIM = text(
    f"""
    WITH given AS (
        SELECT event_id, day, day BETWEEN today - {_REMEMBERED[0]}
                                      AND today + {_REMEMBERED[1]} AS remembered
        FROM unnest(:ids, :days) AS event (event_id, day),
            CAST(now() AT TIME ZONE 'utc' AS date) AS today
    ), claimed AS (
        INSERT INTO inbox (event_id, day)
        SELECT event_id, day FROM given WHERE remembered ORDER BY event_id
        ON CONFLICT DO NOTHING RETURNING event_id
    )
    SELECT event_id FROM claimed
    UNION ALL SELECT event_id FROM given WHERE NOT remembered
    """  # noqa: S608 - numbers of ours
).bindparams(bindparam("ids", type_=ARRAY(Uuid)), bindparam("days", type_=ARRAY(Date)))


async def claim(tx: Tx, events: Sequence[Envelope[Event]]) -> list[Envelope[Event]]:
    """The events not handled before, each once; with the commit they are handled."""
    distinct = {event.id: event for event in events}
    days = [event.time.astimezone(UTC).date() for event in distinct.values()]
    claimed = await run(tx, _CLAIM, {"ids": list(distinct), "days": days})
    if len(claimed) == len(distinct):  # as nearly always
        return list(distinct.values())
    fresh = {row.event_id for row in claimed}
    return [event for event in distinct.values() if event.id in fresh]


async def release(tx: Tx, event_id: UUID, time: datetime) -> None:
    """Have an event handled again when it comes again: it was put aside later on."""
    day = time.astimezone(UTC).date()
    await tx.execute(
        delete(inbox).where(inbox.c.day == day, inbox.c.event_id == event_id)
    )
