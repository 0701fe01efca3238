"""Connections stay open from one transaction to the next, if they are fit for it."""

import asyncio
from functools import partial

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import ResourceClosedError
from sqlalchemy.ext.asyncio.exc import AsyncContextNotStarted

from chassis.database import Database, DatabaseTooSlow, Tx, run
from chassis.errors import Unavailable
from chassis.testing import eventually
from tests.chaos.postgres_proxy import PostgresProxy

PID = sa.text("SELECT pg_backend_pid() AS pid")
DEFERRED = "CREATE TABLE seats (seat text UNIQUE DEFERRABLE INITIALLY DEFERRED)"
ASLEEP = """
    SELECT count(*) FROM pg_stat_activity
    WHERE application_name = $1 AND wait_event = 'PgSleep'
"""
TAKE = sa.text("INSERT INTO seats VALUES ('Ada Byron'), ('Ada Byron')")


async def pid(tx: Tx) -> int:
    return int((await run(tx, PID, {}))[0].pid)


async def is_asleep(url: str, name: str) -> bool:
    connection = await asyncpg.connect(url)
    try:
        return bool(await connection.fetchval(ASLEEP, name))
    finally:
        await connection.close()


async def test_the_last_that_was_given_back_is_the_first_to_be_taken(database):
    async with database.begin() as first, database.begin() as second:
        pids = [await pid(first), await pid(second)]
    assert pids[0] != pids[1]

    assert [await database.transact(pid) for _ in range(2)] == [pids[0]] * 2


async def test_nothing_can_be_done_with_a_transaction_that_is_over(database):
    async with database.begin() as over:
        pass

    for ask in (pid(over), over.execute(PID)):
        with pytest.raises(AsyncContextNotStarted):
            await ask


async def test_what_is_left_in_a_transaction_is_not_taken_again(database):
    async with database.begin() as tx:
        driver = (await tx.get_raw_connection()).driver_connection
        left = driver.get_server_pid()
        await driver.execute("BEGIN")  # which nobody here knows of

    assert await database.transact(pid) != left


async def test_a_begin_that_is_refused_leaves_nothing_behind(database, monkeypatch):
    refused = await database.transact(pid)
    execute, begins = asyncpg.Connection.execute, iter([True])

    async def refuse(self, query, *args, **more):
        if query == "BEGIN;" and next(begins, False):
            raise asyncpg.QueryCanceledError("canceling statement due to user request")
        return await execute(self, query, *args, **more)

    monkeypatch.setattr(asyncpg.Connection, "execute", refuse)
    with pytest.raises(DatabaseTooSlow):
        await database.transact(pid)

    assert await database.transact(pid) != refused


@pytest.mark.parametrize("turns", range(10))
async def test_who_is_cancelled_while_a_dead_connection_is_closed(postgres_url, turns):
    async with PostgresProxy.before(postgres_url) as (line, url):
        name = f"cut {turns}"  # those before it sleep on, and hear of nothing
        database = Database(url, application_name=name)
        asking = asyncio.create_task(
            database.transact(run, sa.text("SELECT pg_sleep(30)"), {})
        )
        await eventually(partial(is_asleep, postgres_url, name))
        line.cut_all()
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()

        with pytest.raises(asyncio.CancelledError):
            await asking
        assert database.in_use() == 0
        await database.close()


@pytest.mark.parametrize(
    "lose", [PostgresProxy.cut_all, PostgresProxy.silence_all], ids=["cut", "silent"]
)
async def test_who_is_cancelled_between_statements_leaves(postgres_url, lose):
    async with PostgresProxy.before(postgres_url) as (line, url):
        database = Database(url, application_name="between")
        reached, turns = asyncio.Event(), 0

        async def work(tx):
            nonlocal turns
            turns += 1
            await run(tx, sa.text("SELECT 1"), {})
            reached.set()
            await asyncio.sleep(60)

        asking = asyncio.create_task(database.transact(work))
        await reached.wait()
        lose(line)
        asking.cancel()

        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(10):
                await asking
        assert (turns, database.in_use()) == (1, 0)
        await database.close()


async def test_nothing_can_be_done_with_a_transaction_that_was_undone(database):
    async with database.begin() as tx:
        await tx.rollback()
        with pytest.raises(ResourceClosedError):
            await run(tx, sa.text("CREATE TABLE afterwards ()"), {})

    query = sa.text("SELECT to_regclass('afterwards') AS made")
    assert [row.made for row in await database.transact(run, query, {})] == [None]


async def test_whoever_cannot_connect_leaves_its_place(postgres_url):
    nowhere = Database(f"{postgres_url}_nowhere", application_name="tests", pool_size=1)

    for _ in range(2):
        with pytest.raises(Unavailable):
            async with asyncio.timeout(30), nowhere.begin():
                pass

    assert nowhere.in_use() == 0


async def test_who_is_cancelled_while_waiting_leaves_no_gap(postgres_url):
    database = Database(postgres_url, application_name="tests", pool_size=1)
    async with database.begin():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), database.begin():
                pass

    await database.transact(pid)
    assert database.in_use() == 0
    await database.close()


async def test_a_commit_that_is_refused_undoes_all_and_tells_no_rows(database):
    async with database.begin() as tx:
        await tx.execute(sa.text(DEFERRED))
        used = await pid(tx)

    with pytest.raises(asyncpg.UniqueViolationError) as refused:
        await database.transact(run, TAKE, {})

    assert refused.value.detail is None
    assert await database.transact(run, sa.text("SELECT FROM seats"), {}) == []
    assert await database.transact(pid) == used


async def test_whoever_was_cut_off_leaves_none_of_the_connections_there_were(database):
    async with database.begin() as first, database.begin() as second:
        there_were = {await pid(first), await pid(second)}
    cuts = iter([True, False])

    async def work(tx: Tx) -> int:
        if next(cuts):
            raise ConnectionResetError
        return await pid(tx)

    assert await database.transact(work) not in there_were
    async with database.begin() as first, database.begin() as second:
        assert there_were.isdisjoint({await pid(first), await pid(second)})
