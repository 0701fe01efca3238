import asyncio
from uuid import uuid4

import sqlalchemy as sa

from chassis import outbox
from chassis.events import Announcement
from sample.main import NoteTaken


def an_announcement(text: str = "hello", **changes) -> Announcement:
    return Announcement(NoteTaken(note_id=uuid4(), text=text), "subject", **changes)


async def stored(tx, *columns: str) -> list:
    query = sa.select(*(outbox.outbox.c[name] for name in columns))
    return list(await tx.execute(query.order_by(outbox.outbox.c.added)))


async def test_events_are_stored_as_they_were_announced(tx):
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    announcements = [an_announcement(sequence=3, traceparent=trace), an_announcement()]

    await outbox.publish(tx, announcements)

    rows = await stored(tx, "type", "subject", "sequence", "traceparent", "data")
    assert [tuple(row) for row in rows] == [
        (NoteTaken.type, "subject", 3, trace, json_of(announcements[0])),
        (NoteTaken.type, "subject", None, None, json_of(announcements[1])),
    ]


def json_of(announcement: Announcement) -> dict:
    return announcement.data.model_dump(mode="json")


async def test_events_keep_the_order_they_were_announced_in(tx):
    texts = [str(number) for number in range(500)]

    await outbox.publish(tx, [an_announcement(text) for text in texts[:250]])
    await outbox.publish(tx, [an_announcement(text) for text in texts[250:]])

    assert [row.data["text"] for row in await stored(tx, "data")] == texts


async def test_announcing_nothing_writes_nothing(tx):
    await outbox.publish(tx, [])

    assert await stored(tx, "id") == []


async def test_subjects_are_told_once_they_are_committed(database):
    told: list[str] = []
    database.on_announced(told.extend)

    await database.transact(outbox.publish, [an_announcement(), an_announcement()])

    assert told == ["subject", "subject"]


async def test_a_commit_counts_as_use(database):
    await asyncio.sleep(0.02)
    idle_s = database.idle_s()

    await database.transact(outbox.publish, [an_announcement()])

    assert database.idle_s() < idle_s
