"""What settling costs in each service alone, without queues.

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
from typing import Any, TypeAlias
from uuid import uuid4

import msgspec
import structlog
from sqlalchemy import text
from tests import backends
from tests.accounting import factories as books
from tests.inventory.factories import stocked
from tests.orders import factories as sold

from accounting.main import SERVICE as ACCOUNTING
from chassis import aside, inbox
from chassis.database import Database, Tx
from chassis.events import Envelope, Event, Unreadable, to_wire
from chassis.lifecycle import Service
from chassis.testing import Databases
from chassis.topology import Queue
from contracts.accounting import InvoiceIssued, PaymentStatus
from contracts.inventory import ReservationChanged
from contracts.orders import (
    LineUnits,
    OrderCancellationRequested,
    OrderConfirmed,
    OrderPlaced,
)
from contracts.topology import (
    ACCOUNTING_FROM_ORDERS,
    INVENTORY_FROM_ORDERS,
    ORDERS_FROM_ACCOUNTING,
    ORDERS_FROM_INVENTORY,
    ORDERS_INTAKE,
)
from inventory.main import SERVICE as INVENTORY
from orders.commands.intake import OrderSpilled
from orders.main import SERVICE as SELLING

ORDERS = 1000
BATCHES = (10, 100, 1000)
LINES = 3
SKUS = 1000
IN_A_BUNDLE = 50

OfAnOrder: TypeAlias = (
    OrderPlaced
    | OrderConfirmed
    | OrderCancellationRequested
    | OrderSpilled
    | ReservationChanged
    | InvoiceIssued
)


@dataclass(frozen=True)
class Step:
    """What is heard at once."""

    queue: Queue
    events: Sequence[OfAnOrder]
    sequence: int | None = None


@dataclass(frozen=True)
class Scenario:
    """What so many orders are told, in steps; the last of them is what is measured."""

    service: Service[Any]
    steps: Callable[[int], Sequence[Step]]


def placed(count: int) -> list[OrderPlaced]:
    return [
        books.an_order(
            *(books.a_line(line, sku=_sku(n, line)) for line in range(1, LINES + 1)),
            placed_at=datetime.now(UTC),
        )
        for n in range(count)
    ]


def _sku(order: int, line: int) -> str:
    return f"SKU-{(LINES * order + line) * 7919 % SKUS}"


def reserving(count: int) -> Sequence[Step]:
    return [Step(INVENTORY_FROM_ORDERS, placed(count), 1)]


def cancelling(count: int) -> Sequence[Step]:
    orders = placed(count)
    return [
        Step(INVENTORY_FROM_ORDERS, orders, 1),
        Step(INVENTORY_FROM_ORDERS, [_cancel(order) for order in orders], 2),
    ]


def _cancel(order: OrderPlaced) -> OfAnOrder:
    return OrderCancellationRequested(
        order_id=order.order_id,
        cancellation_id=uuid4(),
        lines=tuple(LineUnits(line=n.line, quantity=n.quantity) for n in order.lines),
        requested_at=datetime.now(UTC),
    )


def placing(count: int) -> Sequence[Step]:
    return [Step(ACCOUNTING_FROM_ORDERS, placed(count), 1)]


def invoicing(count: int) -> Sequence[Step]:
    orders = placed(count)
    return [
        Step(ACCOUNTING_FROM_ORDERS, orders, 1),
        Step(ACCOUNTING_FROM_ORDERS, [books.confirmed(order) for order in orders], 2),
    ]


def deciding(count: int) -> Sequence[Step]:
    lines = range(1, LINES + 1)
    orders = [
        sold.an_order(
            *(sold.a_line(line, sku=_sku(n, line)) for line in lines),
            customer_id=f"c-{n}",
            placed_at=datetime.now(UTC),
        )
        for n in range(count)
    ]
    reserved = [sold.units(2, reserved=2) for _ in lines]
    return [
        Step(
            ORDERS_INTAKE,
            [OrderSpilled.of(order, order_id=order.id) for order in orders],
        ),
        Step(
            ORDERS_FROM_INVENTORY,
            [sold.reservation_changed(order.id, *reserved) for order in orders],
        ),
    ]


def paying(count: int) -> Sequence[Step]:
    decided = deciding(count)
    invoices = [
        sold.invoice_issued(reserved.order_id, PaymentStatus.CAPTURED, version=1)
        for reserved in decided[-1].events
    ]
    return [*decided, Step(ORDERS_FROM_ACCOUNTING, invoices)]


SCENARIOS = {
    "reserving": Scenario(INVENTORY, reserving),
    "cancelling": Scenario(INVENTORY, cancelling),
    "placing": Scenario(ACCOUNTING, placing),
    "invoicing": Scenario(ACCOUNTING, invoicing),
    "deciding": Scenario(SELLING, deciding),
    "paying": Scenario(SELLING, paying),
}


def say(*cells: object) -> None:
    sys.stdout.write("".join(f"{cell:>14}" for cell in cells) + "\n")
    sys.stdout.flush()


def bodies(step: Step) -> list[str]:
    """The messages that carry the events."""
    sent = [_sent(event, step.sequence) for event in step.events]
    return [
        f"[{','.join(sent[start : start + IN_A_BUNDLE])}]"
        for start in range(0, len(sent), IN_A_BUNDLE)
    ]


def _sent(event: OfAnOrder, sequence: int | None) -> str:
    return to_wire(
        id=uuid4(),
        source="orderly/bench",
        type=event.type,
        subject=str(event.order_id),
        time=datetime.now(UTC),
        sequence=sequence,
        traceparent=None,
        data=msgspec.json.encode(event).decode(),
    )


@dataclass(frozen=True)
class Heard:
    """The messages of a step, and who is to handle them."""

    service: Service[Any]
    queue: Queue
    messages: Sequence[str]

    def read(self) -> list[Envelope[Event]]:
        router = self.service.hears[self.queue]
        found = [content for body in self.messages for content in router.read(body)]
        return [event for event in found if not isinstance(event, Unreadable)]

    async def apply(self, tx: Tx, events: Sequence[Envelope[Event]]) -> None:
        """As the consumer does."""
        fresh = await inbox.claim(tx, events)
        await self.service.hears[self.queue].dispatch(tx, fresh)
        done = {event.id: (event.data.type, event.subject) for event in events}
        await aside.take_back(tx, self.queue.name, done, aside.tell_nobody)


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
        *before, last = [
            Heard(scenario.service, step.queue, bodies(step))
            for step in scenario.steps(batch)
        ]
        for heard in before:
            await database.transact(heard.apply, heard.read())
        postgres -= await database.transact(postgres_ns)
        if profile:
            profile.enable()
        began = time.process_time()
        events = last.read()
        reads += time.process_time() - began
        await database.transact(last.apply, events)
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
        if args.only and not {name, scenario.service.name} & set(args.only):
            continue
        profile = cProfile.Profile() if args.profile else None
        async with a_database(databases, scenario.service.name) as database:
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
