import asyncio
import json
from uuid import uuid4

import sqlalchemy as sa

from chassis.database import Database
from chassis.outbox import outbox, relay_cursor
from chassis.queues import Aws
from chassis.relay import Relay
from chassis.testing import eventually
from chassis.topology import Queue, Topic
from sample.main import take


def relay_for(database: Database, aws: Aws, topic: Topic) -> Relay:
    return Relay(database, aws, topic=topic.name, source="orderly/sample")


async def received(aws: Aws, queue: Queue, count: int) -> list[dict]:
    """The events that reach the queue, until there are `count`."""
    events: list[dict] = []

    async def enough() -> bool:
        for message in await aws.receive(queue.name, wait_s=1):
            events.extend(json.loads(message.body))
            await aws.delete(queue.name, [message])
        return len(events) >= count

    await eventually(enough)
    return events


async def positions(database: Database) -> list[int]:
    async with database.begin() as tx:
        found = await tx.execute(
            sa.select(outbox.c.position).order_by(outbox.c.position)
        )
        return list(found.scalars())


async def test_what_is_committed_is_published(database, aws, topic, queue):
    await database.transact(take, ["first", "second"])

    await relay_for(database, aws, topic).drain()

    events = await received(aws, queue, 2)
    assert [event["data"]["text"] for event in events] == ["first", "second"]
    assert {event["type"] for event in events} == {"sample.note_taken.v1"}
    assert {event["source"] for event in events} == {"orderly/sample"}


async def test_a_commit_wakes_the_relay(database, aws, topic, queue):
    relaying = asyncio.create_task(relay_for(database, aws, topic).run())

    await database.transact(take, ["now"])

    assert len(await received(aws, queue, 1)) == 1
    relaying.cancel()


async def test_what_is_undone_is_never_published(database, aws, topic, queue):
    async with database.begin() as tx:
        await take(tx, ["undone"])
        await tx.rollback()
    await database.transact(take, ["done"])

    await relay_for(database, aws, topic).drain()

    assert [e["data"]["text"] for e in await received(aws, queue, 1)] == ["done"]


async def test_positions_are_contiguous_with_several_relays_at_once(
    database, aws, topic, queue
):
    relays = [relay_for(database, aws, topic) for _ in range(3)]

    async def write_and_relay(relay: Relay) -> None:
        for _ in range(5):
            await database.transact(take, [str(uuid4()) for _ in range(7)])
            await relay.drain()

    await asyncio.gather(*(write_and_relay(relay) for relay in relays))

    assert await positions(database) == list(range(1, 106))
    assert len({event["id"] for event in await received(aws, queue, 105)}) == 105


async def test_a_relay_that_died_is_followed_by_another(database, aws, topic, queue):
    await database.transact(take, ["left behind"])
    dead = relay_for(database, aws, topic)
    async with database.begin() as tx:
        await dead._next(tx)  # noqa: SLF001 - it took the lease, and was never seen again
        await tx.execute(sa.update(relay_cursor).values(leased_until=sa.func.now()))

    await relay_for(database, aws, topic).drain()

    assert [e["data"]["text"] for e in await received(aws, queue, 1)] == ["left behind"]


async def test_hundreds_of_events_travel_in_few_messages(database, aws, topic, queue):
    await database.transact(take, ["x" * 100] * 400)

    await relay_for(database, aws, topic).drain()

    messages = await aws.receive(queue.name)
    assert sum(len(json.loads(message.body)) for message in messages) == 400
    assert all(len(message.body.encode()) <= 60 * 1024 for message in messages)
    assert len(messages) <= 4


async def test_an_event_larger_than_a_bundle_travels_alone(database, aws, topic, queue):
    await database.transact(take, ["small", "x" * 100_000, "small"])

    await relay_for(database, aws, topic).drain()

    sizes = sorted(
        len(event["data"]["text"]) for event in await received(aws, queue, 3)
    )
    assert sizes == [5, 5, 100_000]


async def test_events_wait_while_the_topic_is_away_and_follow_when_it_is_back(
    database, aws, topic, queue
):
    relay = relay_for(database, aws, Topic(name=f"{topic.name}-missing"))
    relaying = asyncio.create_task(relay.run())
    await database.transact(take, ["patient"])

    relay._topic = topic.name  # noqa: SLF001 - from now on SNS answers

    assert [e["data"]["text"] for e in await received(aws, queue, 1)] == ["patient"]
    relaying.cancel()
