"""Show how PostgreSQL serves each filter of the list of orders, and their counts.

Among a million:

    python bench/list_plans.py postgresql://postgres:secret@localhost/postgres

It makes a database of its own there, fills it set-based, and drops it again.
"""

import argparse
import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from chassis import migrations
from chassis.database import Tx
from chassis.pages import Window
from contracts.orders import Channel
from orders.domain.orders import Status
from orders.store import counts
from orders.store.listing import Wanted, page

SPAN = timedelta(days=365)
NOW = datetime(2026, 11, 21, tzinfo=UTC)

# A year of orders of two lines each: few are open, and one SKU is on every tenth.
FILL = (
    """
    INSERT INTO orders (id, client, fingerprint, channel, customer_id, reference,
        currency, policy, shipping_price, shipping_tax, ship_to, payment_method,
        payment_provider, payment_reference, payment_captured, payment_status,
        payment_version, total, status, version, reservation_version, sequence,
        placed_at, decided_at, updated_at)
    SELECT gen_random_uuid(), 'bench', '', (ARRAY['web', 'web', 'web', 'mobile',
        'mobile', 'wholesale'])[1 + n % 6], 'c-' || n % 50000, 'cart-' || n, 'EUR',
        'allow_partial', 0, 0, '{}', 'prepaid', 'acme-pay', 'pay-' || n, 2500,
        'captured', 0, 2500, CASE WHEN n > :orders - 200 THEN 'placed'
        WHEN n % 1000 = 0 THEN 'rejected' WHEN n % 100 = 0 THEN 'cancelled'
        WHEN n > :orders * 0.99 THEN 'confirmed' ELSE 'shipped' END, 1, 0, 1, placed_at,
        CASE WHEN n <= :orders - 200 THEN placed_at END, placed_at
    FROM (SELECT n, CAST(:now AS timestamptz) - make_interval(
            secs => :seconds * (1 - n / CAST(:orders AS float8))) AS placed_at
        FROM generate_series(1, CAST(:orders AS int)) AS n) AS numbered
    """,
    """
    INSERT INTO order_lines (order_id, line, placed_at, sku, quantity, unit_price,
        discount, tax, pending, reserved, backordered, shipped, cancelled, returned)
    SELECT id, line, placed_at, CASE WHEN line = 1 AND serial % 10 = 0 THEN 'HOT'
        ELSE 'SKU-' || (serial * line) % 20000 END, 1, 2500, 0, 0,
        1, 0, 0, 0, 0, 0
    FROM orders, generate_series(1, 2) AS line
    """,
)
# Of an hour at a year's mean, and of half the orders at once: what bounds hold off.
COUNTED_FROM = {"an hour": timedelta(hours=1), "half of all": SPAN / 2}
LISTS: Mapping[str, Wanted] = {
    "no filter": Wanted(),
    "status=placed": Wanted(status=Status.PLACED),
    "status=shipped": Wanted(status=Status.SHIPPED),
    "channel=wholesale": Wanted(channel=Channel.WHOLESALE),
    "customer_id=c-42": Wanted(customers=("c-42",)),
    "reference=cart-4711": Wanted(reference="cart-4711"),
    "number=W-1004711": Wanted(number="W-1004711"),
    "attention=true (none)": Wanted(attention=True),
    "sku=HOT (every tenth order)": Wanted(sku="HOT"),
    "sku=SKU-4711": Wanted(sku="SKU-4711"),
    "placed_from, placed_to (a day)": Wanted(
        placed_from=NOW - SPAN / 2, placed_to=NOW - SPAN / 2 + timedelta(days=1)
    ),
    "status=cancelled, sku=HOT": Wanted(status=Status.CANCELLED, sku="HOT"),
    "customer_id=c-42, status=shipped": Wanted(
        customers=("c-42",), status=Status.SHIPPED
    ),
}


async def main(url: str, orders: int) -> None:
    name = f"plans_{uuid4().hex[:8]}"
    admin = create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        isolation_level="AUTOCOMMIT",
    )
    async with admin.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
        try:
            own = make_url(url).set(database=name)
            await _show(own.render_as_string(hide_password=False), orders)
        finally:
            await connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    await admin.dispose()


async def _show(url: str, orders: int) -> None:
    await asyncio.to_thread(migrations.upgrade, "orders", url)
    # Not as a service has it: what fills a million rows takes longer than any request.
    own = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
    async with own.begin() as tx:
        await _fill(tx, orders)
    async with own.execution_options(isolation_level="AUTOCOMMIT").connect() as alone:
        await alone.execute(text("VACUUM ANALYZE orders, order_lines"))
    async with own.begin() as tx:
        for name, wanted in LISTS.items():
            for place, after in (("first page", None), ("in the middle", _MIDDLE)):
                print(f"\n## {name}, {place}")
                print(await _plan(tx, page(Window(limit=50, after=after), wanted)))
        for name, span in COUNTED_FROM.items():
            for query in (counts.by_minute, counts.times):
                print(f"\n## {query.__name__} of {name}")
                print(await _plan(tx, query(NOW - span, [])))
    await own.dispose()


_MIDDLE = ((NOW - SPAN / 2).isoformat(), str(uuid4()))


async def _fill(tx: Tx, orders: int) -> None:
    figures = {"orders": orders, "now": NOW, "seconds": SPAN.total_seconds()}
    for statement in FILL:
        used = {k: v for k, v in figures.items() if f":{k}" in statement}
        await tx.execute(text(statement), used)


async def _plan(tx: Tx, query: Select[Any]) -> str:
    compiled = query.compile(
        dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}
    )
    found = await tx.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS) {compiled}")
    return "\n".join(found.scalars())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of a PostgreSQL where a database may be made")
    parser.add_argument("--orders", type=int, default=1_000_000)
    given = parser.parse_args()
    asyncio.run(main(given.url, given.orders))
