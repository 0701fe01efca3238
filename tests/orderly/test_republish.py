import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from chassis.database import Database
from chassis.inbox import inbox
from chassis.outbox import outbox
from chassis.queues import MESSAGE_BYTES, Aws
from chassis.relay import Relay
from chassis.testing import Databases, eventually
from chassis.topology import Queue, Topology, provision
from orderly.republish import LOOK_BACK, Publisher, Subscriber, publish_missing
from sample.main import QUEUE, TOPIC, NoteTaken, take
from tests.chassis.faults import nobody_numbers


@pytest.fixture
async def subscriber(databases: Databases) -> AsyncIterator[Subscriber]:
    url = await databases.make("sample")
    database = Database(url, application_name="tests")
    yield Subscriber(inbox=database, handles=frozenset([NoteTaken.type]))
    await database.close()
    await databases.drop(url)


@pytest.fixture
def service() -> str:
    return "sample"


@pytest.fixture
async def publisher(aws: Aws, database: Database, subscriber: Subscriber) -> Publisher:
    """One with nobody listening yet: what it publishes now is lost."""
    topic = replace(TOPIC, name=f"sample-{uuid4().hex[:8]}")
    await provision(aws, Topology(topics=(topic,), queues=()))
    return Publisher(name="sample", topic=topic, log=database, subscribers=[subscriber])


@pytest.fixture
async def queue(publisher: Publisher) -> Queue:
    return replace(QUEUE, name=f"{publisher.topic.name}-queue", hears=publisher.topic)


async def lose(aws: Aws, publisher: Publisher, *texts: str) -> list[UUID]:
    """Publish notes where nobody hears them; the events' ids in order."""
    await publisher.log.transact(take, texts)
    await Relay(
        publisher.log, aws, topic=publisher.topic.name, source="orderly/sample"
    ).drain()
    async with publisher.log.begin() as tx:
        found = await tx.execute(sa.select(outbox.c.id).order_by(outbox.c.position))
        return list(found.scalars())


async def remember(subscriber: Subscriber, *events: UUID) -> None:
    today = datetime.now(UTC).date()
    async with subscriber.inbox.begin() as tx:
        for event in events:
            await tx.execute(sa.insert(inbox).values(day=today, event_id=event))


async def heard(aws: Aws, queue: Queue, count: int) -> list[UUID]:
    events: list[UUID] = []

    async def enough() -> bool:
        for message in await aws.receive(queue.name, wait_s=1):
            events.extend(UUID(event["id"]) for event in json.loads(message.body))
        return len(events) >= count

    await eventually(enough)
    return events


async def test_only_what_a_subscriber_misses_is_published_again(
    aws, publisher, subscriber, queue
):
    events = await lose(aws, publisher, *"abcdef")
    await remember(subscriber, events[0], events[3])
    await provision(aws, Topology(topics=(publisher.topic,), queues=(queue,)))

    published = await publish_missing(aws, publisher, print)

    missing = [events[index] for index in (1, 2, 4, 5)]
    assert published == 4
    assert await heard(aws, queue, 4) == missing


async def test_a_long_log_is_compared_page_by_page(aws, publisher, queue):
    events = await lose(aws, publisher, *"abcde")
    await provision(aws, Topology(topics=(publisher.topic,), queues=(queue,)))

    assert await publish_missing(aws, publisher, print, page_events=2) == 5

    assert await heard(aws, queue, 5) == events


async def test_nothing_is_missed_by_who_does_not_handle_it(aws, publisher, subscriber):
    deaf = replace(subscriber, handles=frozenset())
    await lose(aws, publisher, "a")

    assert (
        await publish_missing(aws, replace(publisher, subscribers=[deaf]), print) == 0
    )


async def test_what_has_no_position_is_left_to_the_relay(aws, publisher):
    async with nobody_numbers(publisher.log):
        await publisher.log.transact(take, ["on its way"])

    assert await publish_missing(aws, publisher, print) == 0


async def test_what_inboxes_forget_is_not_published_again(aws, publisher):
    await lose(aws, publisher, "old", "new")
    async with publisher.log.begin() as tx:
        await tx.execute(
            sa.update(outbox)
            .where(outbox.c.position == 1)
            .values(time=outbox.c.time - LOOK_BACK - timedelta(days=1))
        )

    assert await publish_missing(aws, publisher, print) == 1


async def test_what_sns_will_never_take_holds_up_nothing(aws, publisher, queue, told):
    events = await lose(aws, publisher, "a", "x" * MESSAGE_BYTES, "b")
    await provision(aws, Topology(topics=(publisher.topic,), queues=(queue,)))

    assert await publish_missing(aws, publisher, told) == 2

    assert {*await heard(aws, queue, 2)} == {events[0], events[2]}
    assert f"sample: event {events[1]} cannot be published" in told
