"""Whether the migrations make the schema that the code knows."""

from sqlalchemy import MetaData, text

from chassis import migrations
from chassis.database import Tx

# Partitions come and go; Alembic's own table is its own.
_DESCRIPTION = text(
    """
    WITH ours AS (
        SELECT oid, relname FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
        AND NOT relispartition AND relname <> 'alembic_version'
    )
    SELECT relname, attname, format_type(atttypid, atttypmod) || ' ' || attnotnull
        || ' ' || attidentity::text || coalesce(pg_get_expr(adbin, adrelid), '')
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


async def migrated_and_known(
    tx: Tx, metadata: MetaData
) -> tuple[set[tuple[str, ...]], set[tuple[str, ...]]]:
    """Describe what the migrations made, and what the metadata would make."""
    migrated = await _described(tx)
    chassis = MetaData()
    migrations.add_chassis_tables(chassis)
    await tx.execute(text("CREATE SCHEMA known"))
    await tx.execute(text("SET LOCAL search_path TO known"))
    await tx.run_sync(metadata.create_all)
    await tx.run_sync(chassis.create_all)
    return migrated, await _described(tx)


async def _described(tx: Tx) -> set[tuple[str, ...]]:
    return {tuple(row) for row in await tx.execute(_DESCRIPTION)}


async def storage_options(tx: Tx, *tables: str) -> dict[str, list[str]]:
    """What the tables say of how their rows are kept."""
    query = text("SELECT relname, reloptions FROM pg_class WHERE relname = ANY(:names)")
    found = await tx.execute(query, {"names": list(tables)})
    return dict(map(tuple, found))
