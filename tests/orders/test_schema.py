from orders.schema import metadata
from tests.schemas import migrated_and_known


async def test_the_migrations_make_the_schema_that_the_code_knows(tx):
    migrated, known = await migrated_and_known(tx, metadata)

    assert migrated == known
