import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import text

from chassis import inbox
from chassis.events import Envelope
from sample.main import NoteTaken
from tests.locks import until_somebody_waits

NOW = datetime.now(UTC)


def an_event(id_: UUID | None = None, *, at: datetime = NOW) -> Envelope[NoteTaken]:
    return Envelope(
        id=id_ or uuid4(),
        source="orderly/sample",
        subject="s",
        time=at,
        sequence=None,
        traceparent=None,
        data=NoteTaken(note_id=uuid4(), text="hello"),
    )


async def test_an_event_is_fresh_once(tx):
    old, new = an_event(), an_event()
    assert await inbox.claim(tx, [old]) == [old]

    assert await inbox.claim(tx, [old, new]) == [new]


async def test_the_same_event_twice_in_a_batch_is_one(tx):
    event = an_event()

    assert await inbox.claim(tx, [event, event]) == [event]


async def test_events_keep_their_order(tx):
    events = [an_event() for _ in range(50)]

    assert await inbox.claim(tx, events) == events


async def test_events_are_claimed_in_one_order_whatever_order_they_come_in(database):
    first, second = sorted((an_event(), an_event()), key=lambda event: event.id)
    async with database.begin() as holder:
        await inbox.claim(holder, [first])
        waiting = asyncio.create_task(database.transact(inbox.claim, [second, first]))
        await until_somebody_waits(database)

        async with database.begin() as tx:
            await tx.execute(text("SET LOCAL lock_timeout = '50ms'"))
            assert await inbox.claim(tx, [second]) == [second]  # nobody has it yet

    assert await waiting == []


async def test_what_is_undone_is_fresh_again(database):
    event = an_event()
    async with database.begin() as tx:
        await inbox.claim(tx, [event])
        await tx.rollback()

    assert await database.transact(inbox.claim, [event]) == [event]


async def test_an_event_of_any_age_is_handled(tx):
    ages = [timedelta(days=days) for days in (-10_000, -39, -30, 29, 31, 10_000)]
    events = [an_event(at=NOW - age) for age in ages]

    assert await inbox.claim(tx, events) == events


async def test_the_days_that_are_kept_are_remembered(tx):
    days = [-37, 0, 27]
    events = [an_event(at=NOW - timedelta(days=age)) for age in days]
    await inbox.claim(tx, events)

    assert await inbox.claim(tx, events) == []


async def test_a_day_is_that_of_utc(tx):
    event = an_event(at=datetime.fromisoformat("2026-11-21T23:30:00-05:00"))

    assert len(await inbox.claim(tx, [event])) == 1


async def test_two_processes_with_the_same_events_handle_each_once(database):
    events = [an_event() for _ in range(200)]

    async def claim(order: int) -> set[UUID]:
        fresh = await database.transact(inbox.claim, events[::order])
        return {event.id for event in fresh}

    claimed = await asyncio.gather(*(claim(order) for order in (1, -1, 1, -1)))

    assert sum(map(len, claimed)) == 200
    assert set().union(*claimed) == {event.id for event in events}


async def test_an_event_that_was_released_is_fresh_again(tx):
    released, other = an_event(), an_event()
    await inbox.claim(tx, [released, other])

    await inbox.release(tx, released.id, released.time)

    assert await inbox.claim(tx, [released, other]) == [released]
