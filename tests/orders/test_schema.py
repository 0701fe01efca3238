from sqlalchemy import MetaData, text

from chassis import migrations
from chassis.database import Tx
from orders.schema import metadata

# Partitions come and go; Alembic's own table is its own.
DESCRIPTION = text(
    """
    WITH ours AS (
        SELECT oid, relname FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
        AND NOT relispartition AND relname <> 'alembic_version'
    )
    SELECT relname, attname, format_type(atttypid, atttypmod) || ' ' || attnotnull
        || ' ' || coalesce(pg_get_expr(adbin, adrelid), '')
    FROM ours JOIN pg_attribute ON attrelid = ours.oid AND attnum > 0
    LEFT JOIN pg_attrdef ON (adrelid, adnum) = (attrelid, attnum)
    UNION ALL
    SELECT relname, conname, pg_get_constraintdef(pg_constraint.oid)
    FROM ours JOIN pg_constraint ON conrelid = ours.oid
    UNION ALL
    SELECT relname, indexrelid::regclass::text,
        replace(pg_get_indexdef(indexrelid), quote_ident(current_schema()) || '.', '')
    FROM ours JOIN pg_index ON indrelid = ours.oid
    UNION ALL
    SELECT 'sequence', sequencename, start_value::text
    FROM pg_sequences WHERE schemaname = current_schema()
    """
)


async def described(tx: Tx) -> set[tuple[str, str, str]]:
    return {tuple(row) for row in await tx.execute(DESCRIPTION)}


async def test_the_migrations_make_the_schema_that_the_code_knows(tx):
    migrated = await described(tx)
    known = MetaData()
    migrations.add_chassis_tables(known)
    await tx.execute(text("CREATE SCHEMA known"))
    await tx.execute(text("SET LOCAL search_path TO known"))

    await tx.run_sync(metadata.create_all)
    await tx.run_sync(known.create_all)

    assert await described(tx) == migrated
