"""Announcing again from the event log: what was asked for, worked off in steps.

The events keep their ids, so a replay reaches only those who never handled them. Each
replay is a reader of the log with a cursor of its own; a step that was interrupted is
done again by whoever holds the replay's lease next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import structlog
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    DateTime,
    Index,
    MetaData,
    Row,
    RowMapping,
    Table,
    Text,
    Uuid,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from chassis import aside, metrics
from chassis.aside import Tell, tell_nobody
from chassis.database import Database, Tx, announce
from chassis.ids import uuid7
from chassis.outbox import AS_SENT, RELAY, outbox, refusals, relay_cursor
from chassis.queues import Aws
from chassis.relay import STEP_EVENTS, bundles, publish_bundles
from chassis.timers import Timer

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 15
LEASE = timedelta(seconds=30)
STEP_POSITIONS = 20_000  # looked through at once, however few of them are meant
ASKED_FOR = "replays"  # told to who listens to commits: the one who works them off

metadata = MetaData()

replays = Table(
    "replays",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("since", DateTime(timezone=True)),
    Column("until", DateTime(timezone=True)),
    Column("types", ARRAY(Text)),
    Column("subject", Text),
    Column("requested_by", Text, nullable=False),
    Column(
        "requested_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("now()"),
    ),
    # Positions in the log: where it is to end, and how far it got.
    Column("last", BigInteger, nullable=False),
    Column("reached", BigInteger),
    Column("published", BigInteger, nullable=False, server_default="0"),
    Column("completed_at", DateTime(timezone=True)),
    Column("holder", Uuid),
    Column(
        "leased_until",
        DateTime(timezone=True),
        nullable=False,
        server_default="-infinity",
    ),
    Index(
        "replays_open", "requested_at", postgresql_where=text("completed_at IS NULL")
    ),
)

_NUMBERED = select(relay_cursor.c.numbered).where(relay_cursor.c.name == RELAY)
_OPEN = replays.c.completed_at.is_(None)


@dataclass(frozen=True, kw_only=True)
class Sought:
    """Which events: from a moment on, until before another, of types, of a subject."""

    since: datetime | None
    until: datetime | None
    types: Sequence[str] | None
    subject: str | None


@dataclass(frozen=True, kw_only=True)
class _Step:
    """The events that are meant between two positions of the log."""

    replay: UUID
    reaches: int
    last: int
    events: Sequence[Row[Any]]


async def request(tx: Tx, sought: Sought, *, requested_by: str) -> RowMapping:
    """Ask for a replay, up to what is numbered now: the rest is announced anyway.

    What the relay has yet to publish may be doubled, which inboxes absorb.
    """
    asked = insert(replays).values(
        id=uuid7(),
        **vars(sought),
        requested_by=requested_by,
        last=_NUMBERED.scalar_subquery(),
    )
    announce(tx, [ASKED_FOR])
    made: RowMapping = (await tx.execute(asked.returning(replays))).mappings().one()
    return made


async def get(tx: Tx, replay_id: UUID) -> RowMapping | None:
    found = await tx.execute(select(replays).where(replays.c.id == replay_id))
    return found.mappings().one_or_none()


class Replayer:
    """Works off replays, one process and one step at a time."""

    def __init__(
        self,
        database: Database,
        aws: Aws,
        *,
        topic: str,
        source: str,
        tell: Tell = tell_nobody,
    ) -> None:
        self._database = database
        self._aws = aws
        self._topic = topic
        self._source = source
        self._tell = tell
        self._me = uuid4()
        self.timer = Timer(
            name="replays", every_s=LOOK_EVERY_S, work=self.work, in_every_role=True
        )
        database.on_announced(self._nudge)

    async def work(self) -> bool:
        """Publish what is meant; answer whether another process is still at it."""
        while step := await self._database.transact(self._next):
            published = await self._publish(step.events)
            await self._database.transact(self._advance, step, published)
        return await self._database.transact(_any_open)

    def _nudge(self, subjects: Sequence[str]) -> None:
        if ASKED_FOR in subjects:
            self.timer.nudge()

    async def _next(self, tx: Tx) -> _Step | None:
        replay = (await tx.execute(self._claim())).one_or_none()
        if replay is None:
            return None
        after = replay.reached
        if after is None:
            after = await _start(tx, replay)
        # One subject has an index of its own, however far apart its events are.
        reaches = replay.last if replay.subject else after + STEP_POSITIONS
        reaches = min(reaches, replay.last)
        events = await tx.execute(
            select(*AS_SENT)
            .where(
                outbox.c.position > after, outbox.c.position <= reaches, *_meant(replay)
            )
            .order_by(outbox.c.position)
            .limit(STEP_EVENTS)
        )
        rows = events.all()
        if len(rows) == STEP_EVENTS:
            reaches = rows[-1].position
        return _Step(replay=replay.id, reaches=reaches, last=replay.last, events=rows)

    def _claim(self) -> Any:
        free = (replays.c.holder == self._me) | (
            replays.c.leased_until < func.clock_timestamp()
        )
        oldest = (
            select(replays.c.id)
            .where(_OPEN, free)
            .order_by(replays.c.requested_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        return (
            update(replays)
            .where(replays.c.id == oldest.scalar_subquery())
            .values(holder=self._me, leased_until=func.clock_timestamp() + LEASE)
            .returning(replays)
        )

    async def _publish(self, events: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
        """Those of the events that SNS has taken."""
        of_id = {row.id: row for row in events}
        published: list[Row[Any]] = []
        ready = bundles(self._source, events)
        async for bundle, refusal in publish_bundles(self._aws, self._topic, ready):
            # What SNS never takes, the relay has put aside when it was new.
            if not refusal:
                published += (of_id[event.id] for event in bundle.events)
        metrics.REPLAYED.add(len(published))
        return published

    async def _advance(
        self, tx: Tx, step: _Step, published: Sequence[Row[Any]]
    ) -> None:
        done = step.reaches >= step.last
        await tx.execute(
            update(replays)
            .where(replays.c.id == step.replay, replays.c.holder == self._me)
            .values(
                reached=step.reaches,
                published=replays.c.published + len(published),
                completed_at=func.now() if done else None,
            )
        )
        await self._forgive(tx, published)
        if done:
            log.info("Events announced again", replay_id=str(step.replay))

    async def _forgive(self, tx: Tx, published: Sequence[Row[Any]]) -> None:
        """What SNS once refused, and has taken now, is out like all the others."""
        known = {row.id: (row.type, row.subject) for row in published}
        await tx.execute(delete(refusals).where(refusals.c.event_id.in_(known)))
        await aside.take_back(tx, self._topic, known, self._tell)


async def _start(tx: Tx, replay: Row[Any]) -> int:
    """The position before the first event that is meant by its time."""
    first = select(func.min(outbox.c.position)).where(*_in_time(replay))
    found = (await tx.execute(first)).scalar_one()
    return int(replay.last if found is None else found - 1)


def _meant(replay: Row[Any]) -> list[ColumnElement[bool]]:
    conditions = _in_time(replay)
    if replay.types is not None:
        conditions.append(outbox.c.type.in_(replay.types))
    if replay.subject is not None:
        conditions.append(outbox.c.subject == replay.subject)
    return conditions


def _in_time(replay: Row[Any]) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if replay.since is not None:
        conditions.append(outbox.c.time >= replay.since)
    if replay.until is not None:
        conditions.append(outbox.c.time < replay.until)
    return conditions


async def _any_open(tx: Tx) -> bool:
    return bool(
        (await tx.execute(select(select(replays).where(_OPEN).exists()))).scalar_one()
    )
