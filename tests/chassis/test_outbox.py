import asyncio
from uuid import uuid4

import sqlalchemy as sa
from msgspec import to_builtins

from chassis import outbox
from chassis.events import Announcement
from sample.main import NoteTaken


def an_announcement(
    text: str = "hello", subject: str = "subject", **changes
) -> Announcement:
    return Announcement(NoteTaken(note_id=uuid4(), text=text), subject, **changes)


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
    return to_builtins(announcement.data)


async def test_events_keep_the_order_they_were_announced_in(tx):
    texts = [str(number) for number in range(500)]

    await outbox.publish(tx, [an_announcement(text) for text in texts[:250]])
    await outbox.publish(tx, [an_announcement(text) for text in texts[250:]])

    assert [row.data["text"] for row in await stored(tx, "data")] == texts


async def test_announcing_nothing_writes_nothing(tx):
    await outbox.publish(tx, [])

    assert await stored(tx, "id") == []


async def positions(tx) -> list[int | None]:
    return [row.position for row in await stored(tx, "position")]


async def test_events_have_their_positions_as_they_are_stored(tx):
    await outbox.publish(tx, [an_announcement(), an_announcement()])
    await outbox.publish(tx, [an_announcement()])

    assert await positions(tx) == [1, 2, 3]


async def test_what_is_undone_leaves_no_gap(database):
    async with database.begin() as tx:
        await outbox.publish(tx, [an_announcement()])
        await tx.rollback()

    await database.transact(outbox.publish, [an_announcement()])

    async with database.begin() as tx:
        assert await positions(tx) == [1]


async def test_who_announces_waits_for_nobody_who_gives_positions(database):
    async with database.begin() as tx:
        await outbox.publish(tx, [an_announcement(subject="theirs")])
        await database.transact(outbox.publish, [an_announcement(subject="ours")])
        assert await positions(tx) == [1, None]


async def test_an_event_never_overtakes_another_of_its_subject(database):
    async with database.begin() as tx:
        await outbox.publish(tx, [an_announcement(subject="other")])
        await database.transact(outbox.publish, [an_announcement()])

    await database.transact(outbox.publish, [an_announcement()])
    together = [an_announcement(subject="another"), an_announcement()]
    await database.transact(outbox.publish, together)
    await database.transact(outbox.publish, [an_announcement(subject="other")])

    async with database.begin() as tx:
        assert await positions(tx) == [1, None, None, None, None, 2]


async def test_no_event_overtakes_more_than_is_looked_through(tx):
    await leave(tx, outbox.LOOKED_THROUGH - 1)
    await outbox.publish(tx, [an_announcement(subject="in time")])
    await leave(tx, 1)
    await outbox.publish(tx, [an_announcement(subject="too late")])

    left = [None] * (outbox.LOOKED_THROUGH - 1)
    assert await positions(tx) == [*left, 1, None, None]


async def leave(tx, count: int) -> None:
    """So many events are stored, and wait for their positions."""
    await tx.execute(
        sa.text(
            "INSERT INTO outbox (id, type, subject, data)"
            " SELECT gen_random_uuid(), 't', 's', '{}' FROM generate_series(1, :count)"
        ),
        {"count": count},
    )


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


async def test_what_waits_is_counted_without_reading_what_is_out(tx):
    await tx.execute(
        sa.text(
            "INSERT INTO outbox (id, type, subject, data, position)"
            " SELECT gen_random_uuid(), 't', 's', '{}', n"
            " FROM generate_series(1, 5000) AS n"
        )
    )
    cursor = {"numbered": 5000, "published": 4990}
    await tx.execute(sa.update(outbox.relay_cursor).values(cursor))
    await outbox.publish(tx, [an_announcement()])
    await tx.execute(sa.text("ANALYZE outbox"))
    before = await read_one_by_one(tx)

    backlog = await outbox.count_waiting(tx)

    assert backlog.waiting == 11
    assert await read_one_by_one(tx) - before < 100


async def read_one_by_one(tx) -> int:
    """Rows of the log that this transaction has read by no index."""
    query = "SELECT sum(seq_tup_read) FROM pg_stat_xact_user_tables"
    outboxes = " WHERE starts_with(relname, 'outbox_')"
    return int((await tx.execute(sa.text(query + outboxes))).scalar_one())
