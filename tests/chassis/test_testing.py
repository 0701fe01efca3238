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
