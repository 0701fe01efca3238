import asyncio
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator

import asyncpg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from chassis import migrations
from chassis.database import Database
from orderly.stack.postgres import Postgres
from sample.schema import metadata


@pytest.fixture
async def empty(databases) -> AsyncIterator[str]:
    """A database of the service's own that nobody has migrated."""
    url = await databases._create("sample", template="template0")  # noqa: SLF001
    yield url
    await databases.drop(url)


@pytest.fixture
async def emptied(empty: str) -> AsyncIterator[Database]:
    database = Database(empty, application_name="tests")
    yield database
    await database.close()


async def upgrade(url: str) -> None:
    """What the process does, without the second it takes to start one."""
    await asyncio.to_thread(migrations.upgrade, "sample", url)


async def upgrade_apart(url: str) -> None:
    await finished(await start_upgrade(url))


async def start_upgrade(url: str) -> Process:
    """In a process of its own, as every container does it."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sample", "migrate"),
        env={"PYTHONPATH": ":".join(sys.path), "SAMPLE_DATABASE_URL": url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def finished(process: Process) -> None:
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


async def until_said(process: Process, words: str) -> None:
    assert process.stdout
    async with asyncio.timeout(60):
        while words not in (line := (await process.stdout.readline()).decode()):
            assert line, f"it has ended without saying: {words}"


async def version(database: Database) -> str:
    async with database.begin() as tx:
        query = "SELECT version_num FROM alembic_version"
        return str((await tx.execute(sa.text(query))).scalar_one())


async def test_several_may_start_at_once(empty, emptied):
    await asyncio.gather(*(upgrade_apart(empty) for _ in range(3)))

    assert await version(emptied) == migrations.newest("sample")


async def test_migrating_again_changes_nothing(empty, emptied):
    await upgrade(empty)
    await upgrade(empty)

    await migrations.check(emptied, "sample")


async def test_the_schema_is_what_the_code_thinks_it_is(database):
    def differences(connection: sa.Connection) -> list:
        return compare_metadata(MigrationContext.configure(connection), expected)

    expected = sa.MetaData()
    for table in metadata.tables.values():
        table.to_metadata(expected)
    migrations.add_chassis_tables(expected)

    async with database.begin() as tx:
        found = await tx.run_sync(differences)

    assert [difference for difference in found if not is_partition(difference)] == []


def is_partition(difference: tuple) -> bool:
    kind, thing = difference[0], difference[1]
    name = getattr(thing, "table", thing).name if kind.startswith("remove") else ""
    return name.startswith(("inbox_", "outbox_")) or name == "alembic_version"


async def test_migrations_wait_for_a_database_that_starts_late():
    async with Postgres.throwaway() as server:
        url = await server.give_database("sample")
        await server.stop()
        upgrading = await start_upgrade(url)
        await until_said(upgrading, "Waiting for the database")

        await server.start()

        await asyncio.wait_for(finished(upgrading), 60)


async def test_migrations_do_not_wait_for_a_password_to_become_right(empty):
    wrong = sa.make_url(empty).set(password="wrong")  # noqa: S106

    with pytest.raises(sa.exc.DBAPIError, match="password authentication failed"):
        await upgrade(wrong.render_as_string(hide_password=False))


async def test_who_waits_for_its_turn_holds_up_no_index(empty):
    """An index that is built concurrently waits for all who are in a statement."""
    await upgrade(empty)
    holder = await asyncpg.connect(empty)
    await holder.execute("SELECT pg_advisory_lock(hashtext('orderly migrations'))")
    waiting = asyncio.create_task(upgrade(empty))

    for number in range(5):
        await holder.execute(f"CREATE INDEX CONCURRENTLY i{number} ON notes (text)")
        await asyncio.sleep(0.1)

    assert not waiting.done()
    await holder.close()
    await waiting


async def test_an_empty_database_is_not_ready(emptied):
    with pytest.raises(sa.exc.ProgrammingError):
        await migrations.check(emptied, "sample")


async def test_a_schema_that_is_newer_than_the_code_will_do(database):
    async with database.begin() as tx:
        await tx.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))

    await migrations.check(database, "sample")


async def test_who_migrates_with_older_code_leaves_a_newer_schema_as_it_is(
    empty, emptied
):
    await upgrade(empty)
    async with emptied.begin() as tx:
        await tx.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))

    await upgrade(empty)

    assert await version(emptied) == "9999"


async def test_a_schema_that_is_older_than_the_code_is_not_ready(database):
    async with database.begin() as tx:
        await tx.execute(sa.text("UPDATE alembic_version SET version_num = '0011'"))

    with pytest.raises(migrations.NotMigrated, match="python -m sample migrate"):
        await migrations.check(database, "sample")


def test_migrations_are_beside_the_package():
    assert (migrations.folder("sample") / "env.py").is_file()
