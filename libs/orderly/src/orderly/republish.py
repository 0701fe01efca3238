"""What the emulator forgot is published again: the event logs and the inboxes tell.

An event that was published, and is not in the inbox of a subscriber who handles its
type, is on its way or was lost. Publishing it again does no harm: inboxes absorb it.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from importlib import import_module
from time import monotonic
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, func, select

from chassis.database import Database, Tx, rows_from_arrays
from chassis.inbox import PARTITIONS, inbox
from chassis.lifecycle import Service
from chassis.outbox import AS_SENT, RELAY, outbox, relay_cursor
from chassis.queues import Aws
from chassis.relay import bundles, publish_bundles
from chassis.topology import Topic
from orderly.words import some

PAGE_EVENTS = 5000
SAY_EVERY_S = 3.0
# Beyond this an inbox may have forgotten; a little less, so that its edge is not ours.
LOOK_BACK = PARTITIONS.keep - timedelta(days=3)

Key = tuple[date, UUID]
Tell = Callable[[str, str], None]


@dataclass(frozen=True, kw_only=True)
class Publisher:
    """A service's event log, and who is to have handled it."""

    name: str
    topic: Topic
    log: Database
    subscribers: Sequence["Subscriber"]


@dataclass(frozen=True, kw_only=True)
class Subscriber:
    inbox: Database
    handles: frozenset[str]


async def republish(
    aws: Aws, urls: Mapping[str, str], tell: Tell = lambda _, __: None
) -> int:
    """Publish what subscribers miss; return how many events that were."""
    async with AsyncExitStack() as stack:
        databases = {
            name: Database(url, application_name="orderly republish", pool_size=1)
            for name, url in urls.items()
        }
        for database in databases.values():
            stack.push_async_callback(database.close)
        return sum(
            [
                await publish_missing(aws, publisher, tell)
                for publisher in _publishers(databases)
            ]
        )


async def publish_missing(
    aws: Aws, publisher: Publisher, tell: Tell, *, page_events: int = PAGE_EVENTS
) -> int:
    published = compared = 0
    told_at = monotonic()
    async for page in _pages(publisher.log, page_events):
        if missing := await _missing(publisher.subscribers, page):
            published += await _publish(aws, publisher, missing, tell)
        compared += len(page)
        if monotonic() - told_at > SAY_EVERY_S:
            tell(
                publisher.name,
                f"{some(compared, 'event')} compared, {published:,} missing",
            )
            told_at = monotonic()
    return published


async def _pages(log: Database, events: int) -> AsyncIterator[Sequence[Row[Any]]]:
    """The numbered part of the log that inboxes still remember, in its order."""
    first, last = await log.transact(_span)
    while first <= last:
        page = await log.transact(_page, first, last, events)
        if not page:
            return
        yield page
        first = page[-1].position + 1


async def _span(tx: Tx) -> tuple[int, int]:
    # Up to what is numbered, not what the relay knows to be published: its cursor may
    # come a moment after, and SNS confirms also what no queue has subscribed to yet.
    # What it has yet to publish may be doubled, which inboxes absorb.
    recent = outbox.c.time >= func.now() - LOOK_BACK
    first = select(func.coalesce(func.min(outbox.c.position), 1)).where(recent)
    last = select(relay_cursor.c.numbered).where(relay_cursor.c.name == RELAY)
    return (await tx.execute(first)).scalar_one(), (await tx.execute(last)).scalar_one()


async def _page(tx: Tx, first: int, last: int, most: int) -> Sequence[Row[Any]]:
    query: Select[Any] = (
        select(outbox.c.position, outbox.c.time, outbox.c.id, outbox.c.type)
        .where(
            outbox.c.position.between(first, last),
            outbox.c.time >= func.now() - LOOK_BACK,
        )
        .order_by(outbox.c.position)
        .limit(most)
    )
    rows: Sequence[Row[Any]] = (await tx.execute(query)).all()
    return rows


async def _missing(
    subscribers: Sequence[Subscriber], page: Sequence[Row[Any]]
) -> list[Row[Any]]:
    """The events of the page that somebody who handles them has not handled."""
    missing: set[UUID] = set()
    for subscriber in subscribers:
        expected = [row for row in page if row.type in subscriber.handles]
        keys = [(row.time.astimezone(UTC).date(), row.id) for row in expected]
        if keys:
            handled = await subscriber.inbox.transact(_handled, keys)
            missing.update(row.id for row in expected if row.id not in handled)
    return [row for row in page if row.id in missing]


async def _handled(tx: Tx, keys: Sequence[Key]) -> set[UUID]:
    asked = rows_from_arrays(
        ("day", inbox.c.day.type), ("event_id", inbox.c.event_id.type)
    )
    query = select(inbox.c.event_id).join(
        asked,
        (inbox.c.day == asked.c.day) & (inbox.c.event_id == asked.c.event_id),
    )
    days, ids = zip(*keys, strict=True)
    found = await tx.execute(query, {"day": list(days), "event_id": list(ids)})
    return set(found.scalars())


async def _publish(
    aws: Aws, publisher: Publisher, missing: Sequence[Row[Any]], tell: Tell
) -> int:
    published = 0
    rows = await publisher.log.transact(_whole, [row.position for row in missing])
    ready = bundles(f"orderly/{publisher.name}", rows)
    async for bundle, refusal in publish_bundles(aws, publisher.topic.name, ready):
        if refusal:
            event = bundle.events[0]
            tell(publisher.name, f"event {event.id} cannot be published: {refusal}")
        else:
            published += len(bundle.events)
    return published


async def _whole(tx: Tx, positions: Sequence[int]) -> Sequence[Row[Any]]:
    query: Select[Any] = (
        select(*AS_SENT)
        .where(outbox.c.position == func.any(positions))
        .order_by(outbox.c.position)
    )
    rows: Sequence[Row[Any]] = (await tx.execute(query)).all()
    return rows


def _publishers(databases: Mapping[str, Database]) -> Iterator[Publisher]:
    services = [_service(name) for name in databases]
    for service in services:
        yield Publisher(
            name=service.name,
            topic=service.announces,
            log=databases[service.name],
            subscribers=[
                Subscriber(inbox=databases[other.name], handles=router.types)
                for other in services
                for queue, router in other.hears.items()
                if queue.hears == service.announces
            ],
        )


def _service(name: str) -> Service[Any]:
    """Who announces and who handles what is written once: in the service itself."""
    service: Service[Any] = import_module(f"{name}.main").SERVICE
    return service
