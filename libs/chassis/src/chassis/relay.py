"""Takes committed events to SNS: numbers what is left, publishes, remembers how far.

One process at a time does it, by a lease in `relay_cursor` that is taken and renewed in
short transactions; none is open while SNS is called. A lost lease costs duplicates and
never gaps: the cursor moves only over events that SNS has confirmed, or will never
take as they are: those are put aside one by one, for people to see.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID, uuid4

import structlog
from msgspec import Struct
from sqlalchemy import bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from chassis import aside, metrics, tracing
from chassis.aside import Tell, tell_nobody
from chassis.backoff import Backoff
from chassis.database import Database, Row, Tx, is_away, run
from chassis.events import about, event_in, to_wire
from chassis.outbox import AS_SENT, RELAY, outbox, refusals, relay_cursor
from chassis.queues import BATCH_ENTRIES, Aws

log = structlog.get_logger(__name__)

BUNDLE_BYTES = 60 * 1024  # under one billing unit of 64 KiB, with room for attributes
CALL_BYTES = 250 * 1024  # under the 256 KiB that SNS takes in one call
STEP_EVENTS = 2000
LEASE = timedelta(seconds=5)
LOOK_AGAIN_S = 0.5  # while another process holds the lease and ours are not out yet
# After what was published, so that what is committed meanwhile travels together: a few
# wait for next to nothing. Above two hundred a second, the pause grows to its bound.
PACE_S_PER_EVENT = 0.005
PACE_S = 0.5

_CLAIM = (
    update(relay_cursor)
    .where(
        relay_cursor.c.name == RELAY,
        (relay_cursor.c.holder == bindparam("me"))
        | (relay_cursor.c.leased_until < func.clock_timestamp()),
    )
    .values(
        holder=bindparam("me"),
        leased_until=func.clock_timestamp()
        + bindparam("lease", type_=None, value=LEASE),
        published=func.greatest(relay_cursor.c.published, bindparam("reached")),
    )
    .returning(relay_cursor.c.numbered, relay_cursor.c.published)
)

# The limit is part of the text: the planner knows it, and stays with the index.
_NUMBER = text(
    f"""
    WITH fresh AS (
        SELECT time, id, row_number() OVER (ORDER BY added) AS n
        FROM (
            SELECT time, id, added FROM outbox
            WHERE position IS NULL ORDER BY added LIMIT {STEP_EVENTS}
        ) AS unnumbered
    ), placed AS (
        UPDATE outbox SET position = :numbered + fresh.n FROM fresh
        WHERE outbox.time = fresh.time AND outbox.id = fresh.id
        RETURNING 1
    )
    UPDATE relay_cursor SET numbered = numbered + (SELECT count(*) FROM placed)
    WHERE name = :name RETURNING numbered
    """  # noqa: S608 - a number of ours
)

_NEXT = (
    select(*AS_SENT)
    .where(outbox.c.position > bindparam("published"))
    .order_by(outbox.c.position)
    .limit(STEP_EVENTS)
)

_RELEASE = (
    update(relay_cursor)
    .where(relay_cursor.c.name == RELAY, relay_cursor.c.holder == bindparam("me"))
    .values(leased_until=text("'-infinity'"), holder=None)
)

_BEHIND = text(
    """
    SELECT numbered > published OR EXISTS (SELECT FROM outbox WHERE position IS NULL)
    FROM relay_cursor WHERE name = :name
    """
)


class Carried(Struct, frozen=True):
    """One event as it travels, and where it is in the log."""

    id: UUID
    time: datetime
    position: int
    json: str


@dataclass(frozen=True)
class Bundle:
    """Several events in one message."""

    events: Sequence[Carried]

    @cached_property
    def body(self) -> str:
        return f"[{','.join(event.json for event in self.events)}]"

    @property
    def last(self) -> int:
        return self.events[-1].position

    def apart(self) -> Iterator["Bundle"]:
        return (Bundle([event]) for event in self.events)


def bundles(source: str, rows: Iterable[Any]) -> Iterator[Bundle]:
    """Rows of `AS_SENT`, however they were read."""
    return bundled(_carried(source, row) for row in rows)


def bundled(events: Iterable[Carried]) -> Iterator[Bundle]:
    """Fill messages up to the bound; an event larger than that travels alone."""
    waiting: list[Carried] = []
    size = 0
    for event in events:
        grown = len(event.json.encode()) + 1
        if waiting and size + grown > BUNDLE_BYTES:
            yield Bundle(waiting)
            waiting, size = [], 0
        waiting.append(event)
        size += grown
    if waiting:
        yield Bundle(waiting)


def _carried(source: str, row: Any) -> Carried:
    json = to_wire(
        id=row.id,
        source=source,
        type=row.type,
        subject=row.subject,
        time=row.time,
        sequence=row.sequence,
        traceparent=row.traceparent,
        data=row.data,
    )
    return Carried(row.id, row.time, row.position, json)


def calls(ready: Iterable[Bundle]) -> Iterator[list[Bundle]]:
    """Group bundles into what one PublishBatch takes."""
    call: list[Bundle] = []
    size = 0
    for bundle in ready:
        grown = len(bundle.body.encode())
        if call and (len(call) == BATCH_ENTRIES or size + grown > CALL_BYTES):
            yield call
            call, size = [], 0
        call.append(bundle)
        size += grown
    if call:
        yield call


async def publish_bundles(
    aws: Aws, topic: str, ready: Iterable[Bundle]
) -> AsyncIterator[tuple[Bundle, str]]:
    """Yield, in the log's order, what SNS has taken; with a reason, what it never will.

    That is one event alone: nothing waits behind it, and its neighbours are out.
    """
    for call in calls(ready):
        not_sent = await aws.publish(topic, [bundle.body for bundle in call])
        failures = {failure.index: failure for failure in not_sent}
        for index, bundle in enumerate(call):
            failure = failures.get(index)
            if failure is None:
                yield bundle, ""
            elif not failure.for_ever:
                # Later bundles of this call may be out already: they will be doubled.
                raise NotPublished(f"{len(not_sent)} of {len(call)}: {failure.reason}")
            elif len(bundle.events) == 1:
                yield bundle, failure.reason
            else:
                async for outcome in publish_bundles(aws, topic, bundle.apart()):
                    yield outcome


class Relay:
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
        # Everything up to here is out; the cursor hears of it with the next step.
        self._reached = 0
        self._wake = asyncio.Event()
        self._draining = asyncio.Lock()
        database.on_announced(lambda _: self.wake())

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Publish whenever something was committed, for ever."""
        backoff = Backoff()
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self.drain()
                backoff.reset()
            except Exception as error:
                metrics.RELAY_FAILURES.add(1)
                log.warning("Events wait for SNS or the database", error=repr(error))
                self._wake.set()
                await backoff.wait()

    async def flush(self) -> None:
        """Publish what is left, if that works right now."""
        try:
            await self.drain()
        except Exception as error:
            log.warning("Events stay for the next process", error=repr(error))

    async def drain(self) -> None:
        """Publish until everything that is committed is out, by us or by the holder."""
        async with self._draining:  # the lease does not tell us from ourselves
            while True:
                rows = await self._database.transact(self._next)
                if rows:
                    await self._publish(rows)
                    if len(rows) < STEP_EVENTS:
                        await asyncio.sleep(min(PACE_S, len(rows) * PACE_S_PER_EVENT))
                elif rows is not None:
                    await self._database.transact(self._release)
                    return
                elif await self._database.transact(_is_behind):
                    await asyncio.sleep(LOOK_AGAIN_S)
                else:
                    metrics.OUTBOX_LAG.set(0)  # another process has seen to it
                    return

    async def _next(self, tx: Tx) -> Sequence[Row] | None:
        """Hold the lease, note what is out, number what is new, read what is next.

        None: another process holds the lease.
        """
        claim = {"me": self._me, "reached": self._reached, "lease": LEASE}
        leases = await run(tx, _CLAIM, claim)
        if not leases:
            return None
        (held,) = leases
        (end,) = await run(tx, _NUMBER, {"numbered": held.numbered, "name": RELAY})
        metrics.OUTBOX_POSITION.set(end.numbered)
        metrics.OUTBOX_LAG.set(end.numbered - held.published)
        return await run(tx, _NEXT, {"published": held.published})

    async def _release(self, tx: Tx) -> None:
        await run(tx, _RELEASE, {"me": self._me})

    async def _publish(self, rows: Sequence[Row]) -> None:
        ready = bundles(self._source, rows)
        with tracing.publishing(self._topic, (row.traceparent for row in rows)):
            async for bundle, refusal in publish_bundles(self._aws, self._topic, ready):
                if refusal:
                    await self._put_aside(bundle.events[0], refusal)
                else:
                    metrics.RELAYED.add(len(bundle.events))
                self._reached = bundle.last
        log.info("Events published", events=len(rows), up_to=self._reached)

    async def _put_aside(self, event: Carried, reason: str) -> None:
        """Leave it in the log, note that nobody got it, and let the rest go on."""

        async def note(tx: Tx, tell: Tell) -> None:
            row = {"event_id": event.id, "time": event.time, "reason": reason}
            await tx.execute(insert(refusals).values(row).on_conflict_do_nothing())
            await aside.note(tx, self._topic, [sent], tell)

        sent = event_in(f"[{event.json}]")
        told = {**about(sent), "event_id": str(event.id)}
        try:
            await self._database.transact(note, self._tell)
        except Exception as error:
            if is_away(error):
                raise
            log.exception("Not told that an event is not published", **told)
            await self._database.transact(note, tell_nobody)
        metrics.RELAY_REFUSED.add(1)
        log.error("Event is never published as it stands", **told, reason=reason)


class NotPublished(Exception):
    """SNS did not take everything it was given."""


async def _is_behind(tx: Tx) -> bool:
    return bool((await tx.execute(_BEHIND, {"name": RELAY})).scalar_one())
