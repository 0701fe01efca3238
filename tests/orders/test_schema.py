from sqlalchemy import text

from orders.schema import metadata
from tests.schemas import migrated_and_known


async def test_the_migrations_make_the_schema_that_the_code_knows(tx):
    migrated, known = await migrated_and_known(tx, metadata)

    assert migrated == known


async def test_rows_that_are_written_again_have_room_beside_them(tx):
    options = await tx.execute(
        text(
            "SELECT relname, reloptions FROM pg_class"
            " WHERE oid IN ('orders'::regclass, 'order_lines'::regclass)"
        )
    )

    assert dict(map(tuple, options)) == {
        "orders": ["fillfactor=60"],
        "order_lines": ["fillfactor=50"],
    }
