import asyncpg
import pytest
from sqlalchemy import text

from chassis.database import Database
from chassis.testing import Databases


@pytest.fixture
def own(postgres_url: str) -> Databases:
    return Databases(postgres_url)


async def execute(url: str, *statements: str) -> None:
    database = Database(url, application_name="tests")
    async with database.begin() as tx:
        for statement in statements:
            await tx.execute(text(statement))
    await database.close()


async def count(url: str, table: str) -> int:
    database = Database(url, application_name="tests")
    async with database.begin() as tx:
        found = await tx.execute(text(f"SELECT count(*) FROM {table}"))  # noqa: S608
    await database.close()
    return int(found.scalar_one())


async def test_a_database_that_was_used_comes_back_as_it_was_migrated(own):
    url = await own.make("sample")
    await execute(
        url,
        "INSERT INTO inbox (day, event_id) VALUES (now(), gen_random_uuid())",
        "DELETE FROM relay_cursor",
    )

    await own.give_back("sample", url)

    assert await own.make("sample") == url
    assert await count(url, "inbox") == 0
    assert await count(url, "relay_cursor") == 1
    await own.drop(url)


async def test_a_database_whose_shape_was_changed_does_not_come_back(own):
    url = await own.make("sample")
    await execute(url, "CREATE TABLE more (id int)")

    await own.give_back("sample", url)

    another = await own.make("sample")
    assert another != url
    await own.drop(another)


async def test_connections_are_used_again(own):
    url = await own.make("sample")
    async with own.open(url).begin() as tx:
        first = (await tx.execute(text("SELECT pg_backend_pid()"))).scalar_one()

    await own.give_back("sample", url)

    async with own.open(await own.make("sample")).begin() as tx:
        again = (await tx.execute(text("SELECT pg_backend_pid()"))).scalar_one()
    assert again == first
    await own.drop(url)


async def test_what_was_left_undone_is_ended(own):
    url = await own.make("sample")
    with pytest.raises(asyncpg.InterfaceError, match="closed"):
        await leave_undone(own, url)

    async with own.open(await own.make("sample")).begin() as tx:
        await tx.execute(text("LOCK TABLE notes NOWAIT"))
    await own.drop(url)


async def leave_undone(own: Databases, url: str) -> None:
    async with own.open(url).begin() as tx:
        await tx.execute(text("LOCK TABLE notes"))
        await own.give_back("sample", url)
