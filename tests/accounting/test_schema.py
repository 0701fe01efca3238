import asyncio

import asyncpg

from accounting.schema import metadata
from chassis import migrations
from chassis.testing import eventually
from tests.schemas import migrated_and_known, storage_options


async def test_the_migrations_make_the_schema_that_the_code_knows(tx):
    migrated, known = await migrated_and_known(tx, metadata)

    assert migrated == known


async def test_rows_that_are_written_again_have_room_beside_them(tx):
    options = await storage_options(tx, "orders", "order_cursors")

    assert options == {"orders": ["fillfactor=60"], "order_cursors": ["fillfactor=40"]}


AS_BEFORE = """
    UPDATE alembic_version SET version_num = '0009';
    DROP INDEX documents_by_customer;
    CREATE INDEX documents_of_customer ON documents (customer_id, id);
    ALTER TABLE documents ADD CONSTRAINT documents_seller
        FOREIGN KEY (seller_id) REFERENCES sellers (id)
"""
IS_WAITING = """
    SELECT EXISTS (
        SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'
            AND query LIKE 'CREATE INDEX CONCURRENTLY%'
            AND query_start < clock_timestamp() - interval '500 ms'
    )
"""


async def test_an_index_is_made_beside_who_has_been_reading_for_long(
    databases, monkeypatch
):
    monkeypatch.setattr(migrations, "_LOCKS_IN_TIME", "SET lock_timeout = '100ms'")
    url = await databases.make("accounting")
    reader, watcher = await asyncpg.connect(url), await asyncpg.connect(url)
    await watcher.execute(AS_BEFORE)
    async with reader.transaction(isolation="repeatable_read"):
        await reader.fetch("SELECT FROM sellers")
        upgrading = asyncio.create_task(
            asyncio.to_thread(migrations.upgrade, "accounting", url)
        )

        async def is_waiting() -> bool:
            return upgrading.done() or bool(await watcher.fetchval(IS_WAITING))

        await eventually(is_waiting)
    await upgrading

    revision = await watcher.fetchval("SELECT version_num FROM alembic_version")
    assert revision == migrations.newest("accounting")
    await reader.close()
    await watcher.close()
    await databases.drop(url)
