import asyncio
import json
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from chassis.aside import Aside
from chassis.database import Database, Tx
from chassis.events import Announcement
from chassis.outbox import outbox, publish, refusals, relay_cursor
from chassis.queues import MESSAGE_BYTES, Aws
from chassis.relay import CALL_BYTES, STEP_EVENTS, NotPublished, Relay
from chassis.testing import eventually
from chassis.topology import Queue, Topic
from sample.main import NoteTaken, take
from tests.chassis.faults import first_time, nobody_numbers, refuse, with_faults


def relay_for(database: Database, aws: Aws, topic: Topic) -> Relay:
    return Relay(database, aws, topic=topic.name, source="orderly/sample")


async def received(aws: Aws, queue: Queue, count: int) -> list[dict[str, Any]]:
    """The events that reach the queue, until there are `count`."""
    return [
        event
        for body in await received_bodies(aws, queue, count)
        for event in json.loads(body)
    ]


async def received_bodies(aws: Aws, queue: Queue, count: int) -> list[str]:
    """The messages that reach the queue, until they hold `count` events."""
    bodies: list[str] = []

    async def enough() -> bool:
        for message in await aws.receive(queue.name, wait_s=1):
            bodies.append(message.body)
            await aws.delete(queue.name, [message])
        return sum(len(json.loads(body)) for body in bodies) >= count

    await eventually(enough)
    return bodies


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
    async with nobody_numbers(database):
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

    bodies = await received_bodies(aws, queue, 400)
    assert all(len(body.encode()) <= 60 * 1024 for body in bodies)
    assert len(bodies) <= 4


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


async def test_what_sns_did_not_confirm_is_published_again_and_nothing_is_skipped(
    database, aws, topic, queue, monkeypatch
):
    async def lose_second(real, PublishBatchRequestEntries, **arguments):  # noqa: N803
        first, lost, *rest = PublishBatchRequestEntries
        answer = await real(PublishBatchRequestEntries=[first, *rest], **arguments)
        return {**answer, "Failed": [{"Id": lost["Id"], "Code": "InternalError"}]}

    monkeypatch.setattr("chassis.relay.BUNDLE_BYTES", 1)
    await database.transact(take, [str(number) for number in range(5)])
    faulty = with_faults(aws, sns={"publish_batch": first_time(lose_second)})
    relay = relay_for(database, faulty, topic)

    with pytest.raises(NotPublished, match="InternalError"):
        await relay.drain()
    await relay.drain()

    texts = {event["data"]["text"] for event in await received(aws, queue, 8)}
    assert texts == {"0", "1", "2", "3", "4"}
    assert await published(database) == 5


async def published(database: Database) -> int:
    async with database.begin() as tx:
        found = await tx.execute(sa.select(relay_cursor.c.published))
        return int(found.scalar_one())


async def test_events_wait_while_sns_refuses_and_follow_when_it_does_not(
    database, aws, topic, queue
):
    faulty = with_faults(aws, sns={"publish_batch": first_time(refuse)})
    relaying = asyncio.create_task(relay_for(database, faulty, topic).run())

    await database.transact(take, ["patient"])

    assert [e["data"]["text"] for e in await received(aws, queue, 1)] == ["patient"]
    relaying.cancel()


@pytest.mark.usefixtures("queue")
async def test_no_transaction_is_open_while_sns_is_called(database, aws, topic):
    in_use: list[int] = []

    async def look(real, **arguments):
        in_use.append(database.in_use())
        return await real(**arguments)

    await database.transact(take, ["hello"])

    faulty = with_faults(aws, sns={"publish_batch": look})
    await relay_for(database, faulty, topic).drain()

    assert in_use == [0]


async def test_one_process_publishes_nothing_twice(database, aws, topic, queue):
    await database.transact(take, [str(number) for number in range(100)])
    relay = relay_for(database, aws, topic)

    await asyncio.gather(relay.drain(), relay.flush(), relay.drain())

    assert len(await received(aws, queue, 100)) == 100
    assert await aws.receive(queue.name, wait_s=1) == []


@pytest.mark.usefixtures("queue")
async def test_who_lost_the_lease_takes_nothing_back(database, aws, topic):
    """The slow one publishes after another took over; the cursor never goes back."""
    await database.transact(take, ["a", "b"])
    slow, quick = relay_for(database, aws, topic), relay_for(database, aws, topic)
    rows = await database.transact(slow._next)  # noqa: SLF001 - it stops half way
    async with database.begin() as tx:
        await tx.execute(sa.update(relay_cursor).values(leased_until=sa.func.now()))
    await quick.drain()
    await database.transact(take, ["c"])
    await quick.drain()

    await slow._publish(rows)  # noqa: SLF001 - and goes on
    await slow.drain()

    assert await published(database) == 3
    assert await positions(database) == [1, 2, 3]


async def test_who_commits_waits_for_whoever_holds_the_lease(
    database, aws, topic, queue
):
    await database.transact(take, ["hello"])
    holder, other = relay_for(database, aws, topic), relay_for(database, aws, topic)
    await database.transact(holder._next)  # noqa: SLF001 - it holds the lease
    draining = asyncio.create_task(other.drain())

    await holder.drain()

    await asyncio.wait_for(draining, 5)
    assert len(await received(aws, queue, 1)) == 1


async def test_flushing_gives_up_quietly(database, aws, topic):
    await database.transact(take, ["hello"])

    await relay_for(
        database, with_faults(aws, sns={"publish_batch": refuse}), topic
    ).flush()

    assert await published(database) == 0


@pytest.mark.usefixtures("queue")
async def test_events_of_one_subject_are_numbered_in_their_order(database, aws, topic):
    relay = relay_for(database, aws, topic)
    for number in range(3):
        async with nobody_numbers(database):
            await database.transact(take, [f"{number}-{n}" for n in range(3)])

    await relay.drain()

    async with database.begin() as tx:
        rows = await tx.execute(sa.select(outbox.c.data).order_by(outbox.c.position))
        texts = [row.data["text"] for row in rows]
    assert texts == [f"{number}-{n}" for number in range(3) for n in range(3)]


@pytest.mark.usefixtures("queue")
async def test_more_than_one_step_is_published_to_the_end(database, aws, topic):
    await database.transact(take, ["x"] * (STEP_EVENTS + 10))
    async with nobody_numbers(database):
        await database.transact(take, ["x"] * (STEP_EVENTS + 10))

    await relay_for(database, aws, topic).drain()

    assert await published(database) == 2 * (STEP_EVENTS + 10)


@pytest.mark.usefixtures("queue")
async def test_positions_have_no_gap_and_keep_each_subject_in_its_order(
    database, aws, topic
):
    subjects = [f"subject {number}" for number in range(6)]

    async def tell(subject: str) -> None:
        for sequence in range(1, 16):
            note = NoteTaken(note_id=uuid4(), text=subject)
            announcement = Announcement(note, subject, sequence=sequence)
            await database.transact(publish, [announcement])

    relaying = asyncio.create_task(relay_for(database, aws, topic).run())
    await asyncio.gather(*map(tell, subjects))
    relaying.cancel()
    await asyncio.wait([relaying])
    await relay_for(database, aws, topic).drain()

    columns = outbox.c.position, outbox.c.subject, outbox.c.sequence
    async with database.begin() as tx:
        log = list(await tx.execute(sa.select(*columns).order_by(columns[0])))
    assert [row.position for row in log] == list(range(1, 91))
    for subject in subjects:
        told = [row.sequence for row in log if row.subject == subject]
        assert told == list(range(1, 16))


@pytest.mark.usefixtures("queue")
async def test_the_bounds_of_sns_are_kept(database, aws, topic):
    await database.transact(take, ["ü" * 50_000] * 30)
    sizes: list[int] = []

    async def measure(real, PublishBatchRequestEntries, **arguments):  # noqa: N803
        bodies = [entry["Message"].encode() for entry in PublishBatchRequestEntries]
        sizes.append(sum(map(len, bodies)))
        assert len(bodies) <= 10
        return await real(
            PublishBatchRequestEntries=PublishBatchRequestEntries, **arguments
        )

    faulty = with_faults(aws, sns={"publish_batch": measure})
    await relay_for(database, faulty, topic).drain()

    assert len(sizes) == 15
    assert max(sizes) <= CALL_BYTES


async def put_aside(database: Database) -> list[tuple[str, str]]:
    """The texts of the events that are not published, with the reasons."""
    joined = sa.select(outbox.c.data, refusals.c.reason).join(
        refusals,
        (refusals.c.time == outbox.c.time) & (refusals.c.event_id == outbox.c.id),
    )
    async with database.begin() as tx:
        return [(row.data["text"], row.reason) for row in await tx.execute(joined)]


async def test_an_event_too_large_for_sns_is_put_aside_and_its_neighbours_go_out(
    database, aws, topic, queue, counted
):
    large = "x" * MESSAGE_BYTES
    await database.transact(take, ["before", large, "after"])

    await relay_for(database, aws, topic).drain()

    texts = {event["data"]["text"] for event in await received(aws, queue, 2)}
    assert texts == {"before", "after"}
    assert await put_aside(database) == [(large, "larger than 262144 bytes")]
    assert await published(database) == 3
    assert counted()["orderly.outbox.refused"] == {"": 1}


def refusing(text: str, code: str):
    """SNS, finding fault with the messages that have the text in them."""

    async def publish(real, PublishBatchRequestEntries, **arguments):  # noqa: N803
        entries = PublishBatchRequestEntries
        good = [entry for entry in entries if text not in entry["Message"]]
        answer = (
            await real(PublishBatchRequestEntries=good, **arguments) if good else {}
        )
        failed = [
            {"Id": entry["Id"], "Code": code, "Message": "no", "SenderFault": True}
            for entry in entries
            if entry not in good
        ]
        return {**answer, "Failed": failed}

    return publish


async def test_an_event_that_sns_finds_fault_with_is_put_aside_out_of_its_bundle(
    database, aws, topic, queue
):
    await database.transact(take, ["before", "faulty", "after"])
    fault = refusing("faulty", "InvalidParameter")

    faulty = with_faults(aws, sns={"publish_batch": fault})
    await relay_for(database, faulty, topic).drain()

    texts = {event["data"]["text"] for event in await received(aws, queue, 2)}
    assert texts == {"before", "after"}
    assert await put_aside(database) == [("faulty", "InvalidParameter: no")]
    assert await published(database) == 3


async def test_whose_event_is_never_published_is_told(database, aws, topic):
    told: list[Aside] = []

    async def tell(_: Tx, asides: Sequence[Aside]) -> None:
        told.extend(asides)

    await database.transact(take, ["faulty"])
    faulty = with_faults(
        aws, sns={"publish_batch": refusing("faulty", "InvalidParameter")}
    )
    relay = Relay(
        database, faulty, topic=topic.name, source="orderly/sample", tell=tell
    )
    await relay.drain()

    (aside,) = told
    assert (aside.queue, aside.waits) == (topic.name, True)
    assert aside.type == "sample.note_taken.v1"


@pytest.mark.usefixtures("queue")
async def test_what_cannot_be_told_holds_up_no_event(database, aws, topic):
    async def tell(_: Tx, __: Sequence[Aside]) -> None:
        raise ValueError

    await database.transact(take, ["faulty", "after"])
    faulty = with_faults(
        aws, sns={"publish_batch": refusing("faulty", "InvalidParameter")}
    )
    relay = Relay(
        database, faulty, topic=topic.name, source="orderly/sample", tell=tell
    )
    await relay.drain()

    assert await published(database) == 2
    assert await put_aside(database) == [("faulty", "InvalidParameter: no")]


async def test_what_can_be_put_right_at_sns_puts_no_event_aside(database, aws, topic):
    await database.transact(take, ["patient"])
    faulty = with_faults(
        aws, sns={"publish_batch": refusing("patient", "KMSAccessDenied")}
    )

    with pytest.raises(NotPublished, match="KMSAccessDenied"):
        await relay_for(database, faulty, topic).drain()

    assert await put_aside(database) == []
    assert await published(database) == 0
