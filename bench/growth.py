"""Whether an order costs the same when there are millions: `python -m bench.growth`.

Settles an order, repeats its rows in every table of the three services by SQL, as many
times as is said (100000 1000000), and measures settling at each size.
Ten million take some 60 GB and an hour.
"""

import asyncio
import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg

from bench import scenarios
from bench.__main__ import say
from bench.machine import describe
from bench.report import RESULTS
from bench.scenarios import JSON, SKUS
from bench.site import Site, a_site
from orderly.stack.services import NAMES

AT_ONCE = 50_000
ORDERS = 1000
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
# What an index would not take twice, besides ids.
_COUNTED = {"serial", "position", "added"}
_NAMED = {"payment_reference", "number"}
_SUBJECTS = {"subject", "reference"}


@dataclass(frozen=True)
class Pattern:
    """A table's rows of one order, and how they are repeated."""

    table: str
    statement: str

    @classmethod
    async def of(cls, connection: asyncpg.Connection, table: str) -> "Pattern":
        columns = await connection.fetch(_COLUMNS, table)
        await connection.execute(
            f"CREATE TABLE one_{table} AS SELECT * FROM {table} LIMIT 20"
        )
        names = [row["column_name"] for row in columns]
        values = [_again(row["column_name"], row["data_type"]) for row in columns]
        return cls(
            table,
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)}"
            f" FROM one_{table} AS one, generate_series($1::int, $2::int) AS n"
            " ON CONFLICT DO NOTHING",
        )


def _again(name: str, type_: str) -> str:
    """The same for all columns that name the same thing, in every table."""
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


async def main(sizes: list[int]) -> None:
    found: list[JSON] = []
    async with a_site() as site:
        await site.stock_up(SKUS)
        await scenarios.settle(site, 1, SKUS)
        repeated = {name: await patterns(site, name) for name in NAMES}
        await scenarios.settle(site, 300, SKUS)
        filled = 0
        for size in [0, *sizes]:
            say(f"{size:,} orders")
            await fill(site, repeated, filled + 1, size)
            filled = size
            found.append({"orders": size, **await _measure(site)})
            print(json.dumps(found[-1]), flush=True)
    now = datetime.now(UTC)
    told = {"machine": describe(), "at": now.isoformat(), "sizes": found}
    file = RESULTS / f"growth-{now:%Y%m%dT%H%M%S}.json"
    file.write_text(json.dumps(told, indent=2) + "\n")


async def patterns(site: Site, name: str) -> list[Pattern]:
    connection = site.admin[name]
    # Foreign keys and triggers were checked when the first was written.
    await connection.execute("SET session_replication_role = replica")
    return [await Pattern.of(connection, table) for table in TABLES[name]]


async def fill(
    site: Site, patterns: dict[str, list[Pattern]], first: int, last: int
) -> None:
    for name, found in patterns.items():
        for start in range(first, last + 1, AT_ONCE):
            end = min(start + AT_ONCE - 1, last)
            for pattern in found:
                await site.admin[name].execute(pattern.statement, start, end)
        await site.admin[name].execute("VACUUM ANALYZE")
    await site.admin["orders"].execute("CHECKPOINT")


async def _measure(site: Site) -> JSON:
    settled = await scenarios.settle(site, ORDERS, SKUS)
    return {
        "settle_ms": settled["cpu_ms_per_order"],
        "postgres_settle_ms": settled["cpu_ms_per_order_by_process"]["postgres"],
        "memory_mb": await _memory(site),
    }


async def _memory(site: Site) -> dict[str, float]:
    async with site.measuring() as measured:
        pass
    return {name: round(measured.usage[name].rss_mb, 1) for name in NAMES}


if __name__ == "__main__":
    asyncio.run(main([int(size) for size in sys.argv[1:]] or [100_000]))
