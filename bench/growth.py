"""Whether an order costs the same when there are millions: `python -m bench.growth`.

Settles an order, repeats its rows in every table of the three services by SQL, as many
times as is said (100000 1000000), and measures settling at each size. Keys and indexes
are made when the rows are there, and logged events are empty: nobody reads them any
more. What does not fit on the disk is not begun; `--of orders` fills the tables of one
service.
Nothing of it need outlive a crash: while it fills, PostgreSQL waits for no disk.
While it is measured, nothing is vacuumed, and PostgreSQL is as near to Aurora as it can
be where that matters to a large table: it has room for pages, and logs none whole.
"""

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median

import asyncpg

from bench import report, scenarios
from bench.__main__ import say
from bench.scenarios import JSON, SKUS
from bench.site import Site, a_site
from orderly.stack.postgres import NOTHING_TO_LOSE
from orderly.stack.services import NAMES

AT_ONCE = 200_000
ROOM = 1.5  # times what the rows will take: sorting for the indexes, and the log
ORDERS = 2000
ROUNDS = 5
# Products and stock are as many as ever; cursors and series are of the service.
TABLES = {
    "orders": ("orders", "order_lines", "outbox", "inbox"),
    "inventory": (
        *("reservations", "reservation_lines", "allocations", "movements"),
        *("outbox", "inbox"),
    ),
    "accounting": (
        *("order_cursors", "orders", "order_lines", "entries", "postings"),
        *("documents", "outbox", "inbox"),
    ),
}
_COLUMNS = """
    SELECT column_name, data_type FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name = $1 AND is_generated = 'NEVER'
        AND is_identity = 'NO' ORDER BY ordinal_position
"""
# Those that no constraint is made of, of the table and not of its partitions.
_INDEXES = """
    SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
    FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
    WHERE relname = $1 AND relnamespace = 'public'::regnamespace
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""
# Of the table, and of what refers to it, which has to go first and to come last.
_KEYS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint
    WHERE conparentid = 0 AND (
        conrelid = $1::text::regclass AND contype IN ('p', 'u')
        OR confrelid = $1::text::regclass AND contype = 'f'
    ) ORDER BY contype <> 'f'
"""
# Foreign keys and triggers were checked when the first was written.
_IN_A_HURRY = """
    SET maintenance_work_mem = '1GB';
    SET max_parallel_maintenance_workers = 2;
    SET session_replication_role = replica
"""
# Aurora takes three quarters of the memory; here it is the services' too.
_LIKE_AURORA = {"shared_buffers": "4GB", "full_page_writes": "off"}
_NOTHING_TO_LOSE = {
    **{name: to for name, to in NOTHING_TO_LOSE.items() if name not in _LIKE_AURORA},
    "max_wal_size": "4GB",
}
# What an index would not take twice, besides ids.
_COUNTED = {"serial", "position", "added"}
_NAMED = {"payment_reference", "number"}
_SUBJECTS = {"subject", "reference"}


@dataclass(frozen=True)
class Pattern:
    """A table's rows of one order, and how they are repeated."""

    service: str
    table: str
    statement: str

    @classmethod
    async def of(cls, site: Site, service: str, table: str, since: int) -> "Pattern":
        """Of the rows that were written since a transaction, by its number."""
        connection = site.admin[service]
        columns = await connection.fetch(_COLUMNS, table)
        await connection.execute(
            f"CREATE TABLE one_{table} AS SELECT * FROM {table}"
            f" WHERE xmin::text::bigint >= {since}"
        )
        names = [row["column_name"] for row in columns]
        values = [_again(row["column_name"], row["data_type"]) for row in columns]
        return cls(
            service,
            table,
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)}"
            f" FROM one_{table} AS one, generate_series($1::int, $2::int) AS n",
        )

    async def repeat(self, site: Site, first: int, last: int) -> None:
        connection = await asyncpg.connect(site.stack.postgres.url(self.service))
        try:
            await connection.execute(_IN_A_HURRY)
            async with _without_indexes(connection, self.table):
                for start in range(first, last + 1, AT_ONCE):
                    end = min(start + AT_ONCE - 1, last)
                    await connection.execute(self.statement, start, end)
            await connection.execute(f"VACUUM ANALYZE {self.table}")
        finally:
            await connection.close()


def _again(name: str, type_: str) -> str:
    """The same for all columns that name the same thing, in every table."""
    if name == "data":
        return "'{}'::json"
    if type_ == "uuid" and name not in {"seller_id", "holder"}:
        return f"md5(n || one.{name}::text)::uuid"
    if name in _SUBJECTS:
        uuid = "'^[0-9a-f-]{36}$'"
        again = f"md5(n || one.{name})::uuid::text"
        return f"CASE WHEN one.{name} ~ {uuid} THEN {again} ELSE one.{name} END"
    if name in _NAMED:
        return f"one.{name} || '-' || n"
    if name in _COUNTED:
        return f"-(one.{name} + 20::bigint * n)"
    return f"one.{name}"


async def main(sizes: list[int], services: list[str]) -> None:
    found: list[JSON] = []
    async with a_site(**_LIKE_AURORA) as site:
        await site.stock_up(SKUS)
        await scenarios.settle(site, 300, SKUS)
        repeated = await patterns(site, services)
        filled = 0
        for size in [0, *sizes]:
            say(f"{size:,} orders")
            await _see_whether_it_fits(site, services, filled, size)
            await fill(site, repeated, filled + 1, size)
            filled = size
            say("  settling")
            found.append({"orders": size, **await _measure(site)})
            print(json.dumps(found[-1]), flush=True)
    report.keep("growth", {"of": services, "sizes": found})


async def patterns(site: Site, services: Sequence[str]) -> list[Pattern]:
    """Settle an order: what it wrote is repeated."""
    since = await site.ask("orders", "SELECT pg_current_xact_id()::text")
    await scenarios.settle(site, 1, SKUS)
    return [
        await Pattern.of(site, name, table, since)
        for name in services
        for table in TABLES[name]
    ]


async def _see_whether_it_fits(
    site: Site, services: list[str], filled: int, size: int
) -> None:
    """By what the orders that are there take; of the first, nothing is known."""
    if not filled:
        return
    taken = sum([await _bytes(site, name) for name in services])
    needed = ROOM * taken / filled * (size - filled)
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if needed > free:
        sys.exit(
            f"{size:,} orders need {needed / 1e9:.0f} GB, and {free / 1e9:.0f} are free"
        )


async def _bytes(site: Site, name: str) -> int:
    return await site.ask(name, "SELECT pg_database_size(current_database())")


async def fill(site: Site, repeated: list[Pattern], first: int, last: int) -> None:
    """As many tables at once as there are cores."""
    turns = asyncio.Semaphore(os.cpu_count() or 1)

    async def one(pattern: Pattern) -> None:
        async with turns:
            await pattern.repeat(site, first, last)
            say(f"  {pattern.service}: {pattern.table}")

    async with _nothing_to_lose(site.admin["orders"]):
        await asyncio.gather(*map(one, repeated))
    await site.admin["orders"].execute("CHECKPOINT")


@asynccontextmanager
async def _nothing_to_lose(connection: asyncpg.Connection) -> AsyncIterator[None]:
    for name, value in _NOTHING_TO_LOSE.items():
        await connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    await connection.execute("SELECT pg_reload_conf()")
    yield
    for name in _NOTHING_TO_LOSE:
        await connection.execute(f"ALTER SYSTEM RESET {name}")
    await connection.execute("SELECT pg_reload_conf()")


@asynccontextmanager
async def _without_indexes(
    connection: asyncpg.Connection, table: str
) -> AsyncIterator[None]:
    """To sort all rows at the end is faster by far than to find a place for each."""
    indexes = await connection.fetch(_INDEXES, table)
    keys = await connection.fetch(_KEYS, table)
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['name']}")
    for of, name, _ in keys:
        await connection.execute(f"ALTER TABLE {of} DROP CONSTRAINT {name}")
    yield
    for of, name, definition in reversed(keys):
        added = f"ADD CONSTRAINT {name} {definition}"
        await connection.execute(f"ALTER TABLE {of} {added}")
    for index in indexes:
        # Also of the partitions, which were dropped with it.
        await connection.execute(index["definition"].replace(" ON ONLY ", " ON "))


async def _measure(site: Site) -> JSON:
    async with site.no_housekeeping():
        rounds = [await scenarios.settle(site, ORDERS, SKUS) for _ in range(ROUNDS)]
    by_process = [settled["cpu_ms_per_order_by_process"] for settled in rounds]
    return {
        "settle_ms": median(settled["cpu_ms_per_order"] for settled in rounds),
        "postgres_settle_ms": median(parts["postgres"] for parts in by_process),
        "gb": round(sum([await _bytes(site, name) for name in NAMES]) / 1e9, 1),
        "memory_mb": await site.memory_mb(*NAMES),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=[100_000])
    parser.add_argument("--of", nargs="+", choices=NAMES, default=list(NAMES))
    given = parser.parse_args()
    asyncio.run(main(given.sizes, given.of))
