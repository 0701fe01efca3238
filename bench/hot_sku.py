"""What reserving costs when everybody wants the same thing, and when they do not.

`python -m bench.hot_sku` prints milliseconds per order by batch size, for one SKU and
for a thousand; then what one more unit costs while thousands of orders wait for it.
"""

import asyncio
import logging
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from tests import backends
from tests.inventory.factories import a_delivery, an_order, stocked

from chassis.database import Database
from chassis.testing import Databases
from contracts.orders import Policy
from inventory.commands.reservations import reserve_orders
from inventory.commands.stock import receive_goods
from inventory.domain.reservations import Reservation

ORDERS = 5000
MOST_BATCHES = 300  # enough to know what a small one costs
BATCHES = (1, 10, 100, 1000)
SKUS = (1, 1000)
ARRIVALS = 100


def say(*cells: object) -> None:
    sys.stdout.write("".join(f"{cell:>16}" for cell in cells) + "\n")


@asynccontextmanager
async def a_database(databases: Databases) -> AsyncIterator[Database]:
    url = await databases.make("inventory")
    database = Database(url, application_name="bench")
    yield database
    await database.close()
    await databases.drop(url)


async def stock_up(database: Database, skus: int, units: int) -> None:
    await database.transact(stocked, *((f"SKU-{n}", units) for n in range(skus)))


def orders_for(skus: int, count: int) -> list[Reservation]:
    return [
        an_order(
            (f"SKU-{n * 7919 % skus}", 1),
            policy=Policy.ALLOW_BACKORDER,
            placed_after_s=n,
        )
        for n in range(count)
    ]


async def place(database: Database, orders: list[Reservation], batch: int) -> float:
    """Milliseconds an order."""
    began = time.perf_counter()
    for start in range(0, len(orders), batch):
        await database.transact(reserve_orders, orders[start : start + batch])
    return (time.perf_counter() - began) * 1000 / len(orders)


async def reserve_in_batches(databases: Databases) -> None:
    say("SKUs", "batch", "ms an order")
    for skus in SKUS:
        for batch in BATCHES:
            count = min(ORDERS, batch * MOST_BATCHES)
            async with a_database(databases) as database:
                await stock_up(database, skus, ORDERS)
                took = await place(database, orders_for(skus, count), batch)
            say(skus, batch, f"{took:.3f}")


async def let_units_arrive(databases: Databases) -> None:
    say("waiting", "units", "ms an arrival")
    for waiting in (10, 1000, ORDERS):
        async with a_database(databases) as database:
            await stock_up(database, 1, 1)
            await place(database, orders_for(1, waiting + 1), 1000)
            began = time.perf_counter()
            for _ in range(min(ARRIVALS, waiting)):
                one = a_delivery(("SKU-0", 1))
                await database.transact(receive_goods, one, actor="bench")
            took = (time.perf_counter() - began) * 1000 / min(ARRIVALS, waiting)
        say(waiting, 1, f"{took:.3f}")


async def main() -> None:
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING)
    )
    async with backends.postgres() as url:
        databases = Databases(url)
        await reserve_in_batches(databases)
        await let_units_arrive(databases)


if __name__ == "__main__":
    os.environ.setdefault("ORDERLY_TEST_BACKENDS", "embedded")
    asyncio.run(main())
