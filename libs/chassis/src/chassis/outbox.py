"""The service's event log: what it announced, in the transaction that made it true.

Its events have contiguous positions: as they are stored, or else by the relay, which
takes them to SNS. Timelines, streams and replays read the same table. Old partitions
are dropped; rows are never deleted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    bindparam,
    cast,
    func,
    select,
    text,
)
from sqlalchemy import (
    Sequence as Counter,
)

from chassis import tracing
from chassis.database import Tx, announce, columns_of, run
from chassis.events import Announcement
from chassis.ids import uuid7
from chassis.partitions import Partitioned

PARTITIONS = Partitioned(table="outbox", by="month", keep=timedelta(days=400))
RELAY = "sns"  # its name in relay_cursor; other readers of the log have their own
LOOKED_THROUGH = 500  # of what waits for a position, before another one is given

metadata = MetaData()

_added = Counter("outbox_added", metadata=metadata)

outbox = Table(
    "outbox",
    metadata,
    # The database's clock: a process whose clock jumps finds its partition too.
    Column(
        "time", DateTime(timezone=True), nullable=False, server_default=text("now()")
    ),
    Column("id", Uuid, nullable=False),
    Column("type", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("sequence", BigInteger),
    Column("traceparent", Text),
    # json, not jsonb: the relay sends the text as it is, without reading it.
    Column("data", JSON, nullable=False),
    # In a subject's own order, since whoever writes about a subject holds its row, or
    # does without any order but the sequence's.
    Column(
        "added", BigInteger, _added, server_default=_added.next_value(), nullable=False
    ),
    Column("position", BigInteger),
    PrimaryKeyConstraint("time", "id"),
    Index("outbox_unnumbered", "added", postgresql_where=text("position IS NULL")),
    Index("outbox_position", "position"),
    Index("outbox_subject", "subject", "sequence"),
    postgresql_partition_by="RANGE (time)",
)

# What an event's envelope is made of; its data is the text that was stored.
AS_SENT = (
    outbox.c.id,
    outbox.c.type,
    outbox.c.subject,
    outbox.c.time,
    outbox.c.sequence,
    outbox.c.traceparent,
    cast(outbox.c.data, Text).label("data"),
    outbox.c.position,
)

relay_cursor = Table(
    "relay_cursor",
    metadata,
    Column("name", Text, primary_key=True),
    Column("numbered", BigInteger, nullable=False, server_default="0"),
    Column("published", BigInteger, nullable=False, server_default="0"),
    Column("holder", Uuid),
    Column(
        "leased_until",
        DateTime(timezone=True),
        nullable=False,
        server_default="-infinity",
    ),
)

# What SNS will never take as it stands: the relay passed it over, the log still has it.
refusals = Table(
    "relay_refusals",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("time", DateTime(timezone=True), nullable=False),  # finds it in the log
    Column("reason", Text, nullable=False),
    Column(
        "refused_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("now()"),
    ),
)

_TOLD = ("id", "type", "subject", "sequence", "traceparent", "data")
# Who holds the cursor's row gives positions, until the commit. Whoever announces does
# it, if nobody else holds it, and no earlier event of the same subjects waits for its
# position: nobody waits to announce. Those that are left wait for the relay.
_ANNOUNCE = text(
    f"""
    WITH turn AS (
        SELECT name FROM relay_cursor
        WHERE name = '{RELAY}' AND NOT EXISTS (
            SELECT FROM (
                SELECT subject, row_number() OVER (ORDER BY added) AS nth FROM outbox
                WHERE position IS NULL ORDER BY added LIMIT {LOOKED_THROUGH}
            ) AS waiting
            WHERE nth = {LOOKED_THROUGH}
            OR subject IN (SELECT unnest(CAST(:subject AS text[])))
        )
        FOR NO KEY UPDATE SKIP LOCKED
    ), reached AS (
        UPDATE relay_cursor SET numbered = numbered + cardinality(CAST(:id AS uuid[]))
        FROM turn WHERE relay_cursor.name = turn.name
        RETURNING numbered - cardinality(CAST(:id AS uuid[])) AS before
    )
    INSERT INTO outbox (id, type, subject, sequence, traceparent, data, position)
    SELECT id, type, subject, sequence, traceparent, data::json, before + nth
    FROM (
        SELECT
            unnest(CAST(:id AS uuid[])) AS id,
            unnest(CAST(:type AS text[])) AS type,
            unnest(CAST(:subject AS text[])) AS subject,
            unnest(CAST(:sequence AS bigint[])) AS sequence,
            unnest(CAST(:traceparent AS text[])) AS traceparent,
            unnest(CAST(:data AS text[])) AS data,
            generate_series(1, cardinality(CAST(:id AS uuid[]))) AS nth
    ) AS told
    LEFT JOIN reached ON true
    """  # noqa: S608 - a name and a number of ours
)


async def publish(tx: Tx, announcements: Sequence[Announcement]) -> None:
    """Announce events with the commit of `tx`, or not at all."""
    if not announcements:
        return
    rows = [
        {
            "id": uuid7(),
            "type": announcement.event.type,
            "subject": announcement.subject,
            "sequence": announcement.sequence,
            "traceparent": announcement.traceparent
            or tracing.traceparent(announcement.subject),
            "data": announcement.data_on_the_wire,
        }
        for announcement in announcements
    ]
    await run(tx, _ANNOUNCE, columns_of(rows, _TOLD))
    announce(tx, [announcement.subject for announcement in announcements])


@dataclass(frozen=True)
class Backlog:
    waiting: int
    age: int


_PUBLISHED = select(relay_cursor.c.published).where(relay_cursor.c.name == RELAY)
_BACKLOG = select(
    func.count(),
    func.coalesce(
        func.extract("epoch", func.clock_timestamp() - func.min(outbox.c.time)), 0
    ),
).where(outbox.c.position.is_(None) | (outbox.c.position > bindparam("published")))


async def count_waiting(tx: Tx) -> Backlog:
    """What is committed and not published yet."""
    # By a query of its own: not knowing it, the planner reads a year of events.
    published = (await tx.execute(_PUBLISHED)).scalar_one()
    waiting, age_s = (await tx.execute(_BACKLOG, {"published": published})).one()
    return Backlog(waiting, int(age_s))
