"""Connections stay open from one transaction to the next, if they are fit for it."""

import asyncio

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import ResourceClosedError
from sqlalchemy.ext.asyncio.exc import AsyncContextNotStarted

from chassis.database import Database, Tx, run
from chassis.errors import Unavailable

PID = sa.text("SELECT pg_backend_pid() AS pid")
DEFERRED = "CREATE TABLE seats (seat text UNIQUE DEFERRABLE INITIALLY DEFERRED)"
TAKE = sa.text("INSERT INTO seats VALUES ('Ada Byron'), ('Ada Byron')")


async def pid(tx: Tx) -> int:
    return int((await run(tx, PID, {}))[0].pid)


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
