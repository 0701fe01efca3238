"""Those that are measured beside it: started and stopped on the same server."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import asyncpg
from sqlalchemy import create_engine, insert

from bench.goods import CUSTOMERS, sku
from bench.site import PLENTY, Site
from chassis import migrations
from orderly.stack.folder import CLONE
from orderly.stack.ports import free_port
from orderly.stack.processes import Process, answers
from orderly.stack.services import PYTHON

STARTS_WITHIN_S = 60.0
LIMIT_BATCH = 100


class Peer(NamedTuple):
    name: str
    port: int


@asynccontextmanager
async def baseline(site: Site, skus: int) -> AsyncIterator[Peer]:
    """The conventional shop."""
    url = await site.stack.postgres.give_database("baseline")
    url = url.replace("postgresql://", "postgresql+psycopg://")
    os.environ |= {  # the module reads it, here for its tables
        "DATABASE_URL": url,
        "JWKS": site.stack.signer.key_set(),
        "ISSUER": site.stack.signer.issuer,
    }
    _fill_baseline(url, skus)
    async with _served(site, "baseline", "bench.baseline.app:app") as peer:
        yield peer


def _fill_baseline(url: str, skus: int) -> None:
    from bench.baseline.app import Base, Customer, Stock  # noqa: PLC0415 - see above

    engine = create_engine(url)
    with engine.begin() as connection:
        Base.metadata.drop_all(connection)  # of the last time
        Base.metadata.create_all(connection)
        connection.execute(
            insert(Customer),
            [{"id": f"c-{n}", "name": "Ada Byron"} for n in range(CUSTOMERS)],
        )
        connection.execute(
            insert(Stock),
            [{"sku": sku(n), "on_hand": PLENTY} for n in range(skus)],
        )
    engine.dispose()


@asynccontextmanager
async def http_only(site: Site) -> AsyncIterator[Peer]:
    async with _served(site, "http_only", "bench.http_only:app") as peer:
        yield peer


@asynccontextmanager
async def _served(site: Site, name: str, app: str) -> AsyncIterator[Peer]:
    port = free_port()
    process = Process(
        name=name,
        argv=[
            *(PYTHON, "-m", "uvicorn", app, "--port", str(port)),
            *("--http", "httptools", "--loop", "uvloop", "--no-access-log"),
        ],
        env=os.environ
        | {"JWKS_URL": f"{site.stack.url}/.well-known/jwks.json"}
        | {"ISSUER": site.stack.signer.issuer},
        cwd=CLONE,
        log=site.stack.folder.log(name),
    )
    await process.start()
    try:
        await process.ready(lambda: answers(port, "/healthz"), within_s=STARTS_WITHIN_S)
        with site.counting(name, process):
            yield Peer(name, port)
    finally:
        await process.stop()


@asynccontextmanager
async def limit(site: Site) -> AsyncIterator[asyncpg.Connection]:
    """Orders' own tables in a database that nobody else uses, with a row to repeat."""
    url = await site.stack.postgres.give_database("limit")
    await asyncio.to_thread(migrations.upgrade, "orders", url)
    connection = await asyncpg.connect(url)
    try:
        for table, query in _TEMPLATES.items():
            rows = await site.admin["orders"].fetchval(query)
            await connection.execute(
                f"CREATE TABLE one_{table} AS SELECT * FROM json_populate_recordset("
                f"NULL::{table}, {_quoted(rows)})"
            )
        yield connection
    finally:
        await connection.close()


def _quoted(document: str) -> str:
    json.loads(document)
    return "'" + document.replace("'", "''") + "'"


_TEMPLATES = {
    "orders": "SELECT json_agg(o) FROM (SELECT * FROM orders ORDER BY id LIMIT 1) AS o",
    "order_lines": "SELECT json_agg(l) FROM order_lines AS l"
    " WHERE order_id = (SELECT min(id::text)::uuid FROM orders)",
    "outbox": "SELECT json_agg(e) FROM outbox AS e WHERE sequence = 1"
    " AND subject = (SELECT min(id::text) FROM orders)",
}


async def write_batch(connection: asyncpg.Connection, first: int) -> None:
    """The rows of as many orders, made by PostgreSQL itself, in one transaction."""
    given = (first, first + LIMIT_BATCH - 1)
    async with connection.transaction():
        for table, own in _OWN.items():
            await connection.execute(await _insert(connection, table, own), *given)


_ID = "md5(n::text)::uuid"
_OWN = {
    "orders": {
        "id": _ID,
        "serial": "nextval('order_number')",
        "payment_reference": "'limit-' || n",
        "placed_at": "now()",
        "updated_at": "now()",
    },
    "order_lines": {"order_id": _ID, "placed_at": "now()"},
    "outbox": {
        "id": "gen_random_uuid()",
        "subject": f"{_ID}::text",
        "time": "now()",
        "added": "nextval('outbox_added')",
        "position": "n",
    },
}
_statements: dict[str, str] = {}


async def _insert(
    connection: asyncpg.Connection, table: str, own: dict[str, str]
) -> str:
    if table not in _statements:
        found = await connection.fetch(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_name = $1 ORDER BY ordinal_position",
            table,
        )
        names = [row["column_name"] for row in found]
        values = [own.get(name, f"one.{name}") for name in names]
        _statements[table] = (
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)}"
            f" FROM one_{table} AS one, generate_series($1::int, $2::int) AS n"
        )
    return _statements[table]
