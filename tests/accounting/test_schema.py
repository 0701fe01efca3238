from accounting.schema import metadata
from tests.schemas import migrated_and_known, storage_options


async def test_the_migrations_make_the_schema_that_the_code_knows(tx):
    migrated, known = await migrated_and_known(tx, metadata)

    assert migrated == known


async def test_rows_that_are_written_again_have_room_beside_them(tx):
    options = await storage_options(tx, "orders", "order_cursors")

    assert options == {"orders": ["fillfactor=60"], "order_cursors": ["fillfactor=40"]}
