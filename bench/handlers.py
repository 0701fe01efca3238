"""What settling costs in Inventory and Accounting alone, without queues.

`python -m bench.handlers` prints microseconds of CPU an order, of the process and of
its PostgreSQL, by batch size: what messages say is read and handled in one transaction,
as the consumer does. The cheapest round is told, as CPU seconds swell on a crowded
machine. `--only inventory` leaves the other out; `--profile` shows where the time goes.
"""

import argparse
import asyncio
import cProfile
import logging
import os
import pstats
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

import structlog
from sqlalchemy import text
from tests import backends
from tests.accounting import factories as books
from tests.inventory.factories import stocked

from accounting.main import SERVICE as ACCOUNTING
from chassis import aside, inbox
from chassis.database import Database, Tx
from chassis.events import Envelope, Event, Router, Unreadable, to_wire
from chassis.testing import Databases
from contracts.orders import (
    LineUnits,
    OrderCancellationRequested,
    OrderConfirmed,
    OrderPlaced,
)
from contracts.topology import ACCOUNTING_FROM_ORDERS, INVENTORY_FROM_ORDERS
from inventory.main import SERVICE as INVENTORY

ORDERS = 1000
BATCHES = (10, 100, 1000)
LINES = 3
SKUS = 1000
IN_A_BUNDLE = 50

OfAnOrder: TypeAlias = OrderPlaced | OrderConfirmed | OrderCancellationRequested
Steps = list[list[tuple[int, OfAnOrder]]]  # what comes one after the other


@dataclass(frozen=True)
class Scenario:
    """What each order's events are; the last step is what is measured."""

    service: str
    router: Router
    queue: str
    steps: Callable[[int], Steps]


def placed(count: int) -> list[OrderPlaced]:
    return [
        books.an_order(
            *(
                books.a_line(line, sku=f"SKU-{(LINES * n + line) * 7919 % SKUS}")
                for line in range(1, LINES + 1)
            ),
            placed_at=datetime.now(UTC),
        )
        for n in range(count)
    ]


def reserving(count: int) -> Steps:
    return [[(1, order) for order in placed(count)]]


def cancelling(count: int) -> Steps:
    orders = placed(count)
    return [[(1, order) for order in orders], [(2, _cancel(o)) for o in orders]]


def _cancel(order: OrderPlaced) -> OfAnOrder:
    return OrderCancellationRequested(
        order_id=order.order_id,
        cancellation_id=uuid4(),
        lines=tuple(LineUnits(line=n.line, quantity=n.quantity) for n in order.lines),
        requested_at=datetime.now(UTC),
    )


def invoicing(count: int) -> Steps:
    orders = placed(count)
    return [
        [(1, order) for order in orders],
        [(2, books.confirmed(order)) for order in orders],
    ]


_INVENTORY = ("inventory", INVENTORY.hears[INVENTORY_FROM_ORDERS])
_ACCOUNTING = ("accounting", ACCOUNTING.hears[ACCOUNTING_FROM_ORDERS])
SCENARIOS = {
    "reserving": Scenario(*_INVENTORY, INVENTORY_FROM_ORDERS.name, reserving),
    "cancelling": Scenario(*_INVENTORY, INVENTORY_FROM_ORDERS.name, cancelling),
    "placing": Scenario(*_ACCOUNTING, ACCOUNTING_FROM_ORDERS.name, reserving),
    "invoicing": Scenario(*_ACCOUNTING, ACCOUNTING_FROM_ORDERS.name, invoicing),
}


def say(*cells: object) -> None:
    sys.stdout.write("".join(f"{cell:>14}" for cell in cells) + "\n")
    sys.stdout.flush()


def bodies(events: Sequence[tuple[int, OfAnOrder]]) -> list[str]:
    """The messages that carry the events."""
    sent = [_sent(sequence, event) for sequence, event in events]
    return [
        f"[{','.join(sent[start : start + IN_A_BUNDLE])}]"
        for start in range(0, len(sent), IN_A_BUNDLE)
    ]


def _sent(sequence: int, event: OfAnOrder) -> str:
    return to_wire(
        id=uuid4(),
        source="orderly/orders",
        type=event.type,
        subject=str(event.order_id),
        time=datetime.now(UTC),
        sequence=sequence,
        traceparent=None,
        data=event.model_dump_json(),
    )


def read(router: Router, messages: Sequence[str]) -> list[Envelope[Event]]:
    found = [content for body in messages for content in router.read(body)]
    return [event for event in found if not isinstance(event, Unreadable)]


async def apply(tx: Tx, scenario: Scenario, events: Sequence[Envelope[Event]]) -> None:
    """As the consumer does."""
    fresh = await inbox.claim(tx, events)
    await scenario.router.dispatch(tx, fresh)
    done = {event.id: (event.data.type, event.subject) for event in events}
    await aside.take_back(tx, scenario.queue, done, aside.tell_nobody)


@asynccontextmanager
async def a_database(databases: Databases, service: str) -> AsyncIterator[Database]:
    url = await databases.make(service)
    database = Database(url, application_name="bench", pool_size=1)
    if service == "inventory":
        goods = [(f"SKU-{n}", 1_000_000) for n in range(SKUS)]
        await database.transact(stocked, *goods)
    yield database
    await database.close()
    await databases.drop(url)


async def postgres_ns(tx: Tx) -> int:
    """CPU time of the connection's own process."""
    pid = (await tx.execute(text("SELECT pg_backend_pid()"))).scalar_one()
    return _cpu_ns(Path(f"/proc/{pid}/schedstat"))


def _cpu_ns(schedstat: Path) -> int:
    return int(schedstat.read_text().split()[0])


async def take(
    database: Database, scenario: Scenario, batch: int, profile: cProfile.Profile | None
) -> tuple[float, float, float]:
    """Microseconds an order: read, handled, and PostgreSQL's."""
    reads = handles = postgres = 0.0
    for _ in range(ORDERS // batch):
        *before, last = [bodies(step) for step in scenario.steps(batch)]
        for messages in before:
            await database.transact(apply, scenario, read(scenario.router, messages))
        postgres -= await database.transact(postgres_ns)
        if profile:
            profile.enable()
        began = time.process_time()
        events = read(scenario.router, last)
        reads += time.process_time() - began
        await database.transact(apply, scenario, events)
        handles += time.process_time() - began
        if profile:
            profile.disable()
        postgres += await database.transact(postgres_ns)
    return (
        reads * 1e6 / ORDERS,
        (handles - reads) * 1e6 / ORDERS,
        postgres / 1e3 / ORDERS,
    )


async def measure(args: argparse.Namespace, databases: Databases) -> None:
    say("what", "batch", "read", "handle", "postgres")
    for name, scenario in SCENARIOS.items():
        if args.only and not {name, scenario.service} & set(args.only):
            continue
        profile = cProfile.Profile() if args.profile else None
        async with a_database(databases, scenario.service) as database:
            await take(database, scenario, BATCHES[-1], None)  # warm
            for batch in args.batch or BATCHES:
                rounds = [
                    await take(database, scenario, batch, profile)
                    for _ in range(args.rounds)
                ]
                cheapest = [min(column) for column in zip(*rounds, strict=True)]
                say(name, batch, *(f"{us:.1f}" for us in cheapest))
        if profile:
            pstats.Stats(profile).sort_stats("tottime").print_stats(45)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--batch", nargs="+", type=int)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", action="store_true")
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING)
    )
    async with backends.postgres() as url:
        await measure(parser.parse_args(), Databases(url))


if __name__ == "__main__":
    os.environ.setdefault("ORDERLY_TEST_BACKENDS", "embedded")
    asyncio.run(main())
