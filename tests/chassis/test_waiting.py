import asyncio

import pytest
import sqlalchemy as sa
from starlette.requests import Request

from chassis import waiting
from chassis.database import Tx, announce
from chassis.testing import eventually
from chassis.waiting import Waiters, preferred_wait_s
from sample.schema import notes

LONG_S = 30


def request_with(*prefer: str) -> Request:
    headers = [(b"prefer", p.encode()) for p in prefer]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("wait=5", 5),
        ("respond-async, wait=10", 10),
        ("wait = 3; foo", 3),
        ("wait=500", 20),
        ("wait=999999", 20),
        ('wait="5"', 5),
        ("wait=0", 0),
        ("wait=-1", 0),
        ("wait=soon", 0),
        ("await=5", 0),
        ("", 0),
    ],
)
def test_a_preference_is_read_or_is_none(prefer, seconds):
    assert preferred_wait_s(request_with(prefer)) == seconds


def test_a_preference_may_come_in_a_header_of_its_own():
    assert preferred_wait_s(request_with("respond-async", "wait=5")) == 5


async def nothing_done(_: Tx, __: set[str]) -> set[str]:
    return set()


async def add(tx: Tx, subject: str) -> None:
    announce(tx, [subject])


async def test_a_commit_of_this_process_wakes_at_once(database):
    waiters = Waiters(database, nothing_done)
    here = asyncio.create_task(waiters.wait("here", LONG_S))
    elsewhere = asyncio.create_task(waiters.wait("elsewhere", LONG_S))
    await asyncio.sleep(0)

    await database.transact(add, "here")

    await here
    assert not elsewhere.done()
    waiters.close()
    await elsewhere


async def test_a_commit_of_another_process_is_seen_by_one_query(database, monkeypatch):
    monkeypatch.setattr(waiting, "POLL_S", 0.05)
    asked: list[set[str]] = []

    async def find_done(tx: Tx, subjects: set[str]) -> set[str]:
        asked.append(subjects)
        return set((await tx.execute(sa.select(notes.c.text))).scalars())

    waiters = Waiters(database, find_done)
    waits = [asyncio.create_task(waiters.wait(s, LONG_S)) for s in ("a", "b")]
    async with database.begin() as tx:
        row = {"id": sa.func.gen_random_uuid(), "text": "a"}
        await tx.execute(sa.insert(notes).values(row))
    await waits[0]

    assert not waits[1].done()
    assert asked[0] == {"a", "b"}
    waiters.close()
    await waits[1]


async def test_time_is_up(database):
    await Waiters(database, nothing_done).wait("never", 0.01)


async def test_nobody_waiting_means_no_query(database, monkeypatch):
    monkeypatch.setattr(waiting, "POLL_S", 0.01)
    asked = 0

    async def find_done(_: Tx, subjects: set[str]) -> set[str]:
        nonlocal asked
        asked += 1
        return subjects

    waiters = Waiters(database, find_done)
    await waiters.wait("one", LONG_S)
    await waiters.wait("another", LONG_S)

    assert waiters._polling  # noqa: SLF001
    await waiters._polling  # noqa: SLF001 - it ends by itself
    assert asked == 2


async def test_a_query_that_fails_does_not_end_the_asking(database, monkeypatch):
    monkeypatch.setattr(waiting, "POLL_S", 0.01)
    failures = iter([ValueError(), ZeroDivisionError()])

    async def find_done(_: Tx, subjects: set[str]) -> set[str]:
        for failure in failures:
            raise failure
        return subjects

    await asyncio.wait_for(Waiters(database, find_done).wait("one", LONG_S), 10)


async def test_who_leaves_holds_nobody(database):
    waiters = Waiters(database, nothing_done)
    waits = asyncio.create_task(waiters.wait("one", LONG_S))
    await asyncio.sleep(0)

    waiters.close()

    await asyncio.wait_for(waits, 10)
    await asyncio.wait_for(waiters.wait("another", LONG_S), 10)


async def test_who_goes_is_forgotten(database):
    waiters = Waiters(database, nothing_done)
    waits = asyncio.create_task(waiters.wait("one", LONG_S))
    await asyncio.sleep(0)

    waits.cancel()

    async def forgotten() -> bool:
        return not waiters._waiting  # noqa: SLF001 - it must not grow

    await eventually(forgotten)
