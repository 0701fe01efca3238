"""Many buyers, few units, several processes, and messages as a queue brings them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from random import Random
from uuid import uuid4

import pytest
from msgspec import json
from sqlalchemy import func, select

from chassis.consumer import Consumer
from chassis.database import Database
from chassis.events import to_wire
from chassis.outbox import outbox
from chassis.testing import eventually
from chassis.topology import Queue, Topic, Topology, provision
from contracts.orders import Policy
from contracts.topology import INVENTORY_FROM_ORDERS
from inventory.commands.holds import hold_units
from inventory.domain.holds import NotAvailable
from inventory.domain.reservations import Reservation
from inventory.handlers import orders as handlers
from inventory.schema import reservation_lines
from tests.inventory.factories import a_hold, an_order, placed, stocked
from tests.inventory.figures import assert_books_agree, quantities

DICE = Random(11)  # the same tests every time
HOT = ("SOAP", "RUM", "TEA")


def in_any_order() -> list[tuple[str, int]]:
    return [(sku, 1) for sku in DICE.sample(HOT, 3)]


async def sold(database: Database) -> dict[str, int]:
    async with database.begin() as tx:
        await assert_books_agree(tx)
        lines = reservation_lines.c
        query = select(lines.sku, func.sum(lines.reserved)).group_by(lines.sku)
        return {row[0]: int(row[1]) for row in await tx.execute(query)}


@pytest.fixture
async def patient(database_url: str) -> AsyncIterator[Database]:
    """As a service has it: whoever finds all connections in use waits in line."""
    database = Database(database_url, application_name="fire")
    yield database
    await database.close()


async def test_256_buyers_at_once_get_exactly_50_of_each_of_three(patient):
    await patient.transact(stocked, *((sku, 50) for sku in HOT))
    told: list[bool] = []

    async def buy(number: int) -> None:
        """Half of them reserve while they pay; the other half just order."""
        hold_id = None
        if number % 2:
            hold = a_hold(*in_any_order())
            try:
                async with patient.begin() as tx:  # once: a deadlock would show
                    hold_id = (await hold_units(tx, hold, actor="checkout")).id
            except NotAvailable:
                told.append(False)
                return
        order = an_order(*in_any_order(), placed_after_s=number, hold_id=hold_id)
        async with patient.begin() as tx:
            await handlers.follow_orders(tx, [placed(order)])
            (line, *_) = await quantities(
                tx, "reservation_lines", order_id=order.order_id
            )
        told.append(line["reserved"] == 1)

    async with asyncio.TaskGroup() as buyers:
        for number in range(256):
            buyers.create_task(buy(number))

    assert len(told) == 256
    assert told.count(True) == 50
    assert await sold(patient) == dict.fromkeys(HOT, 50)


@pytest.fixture
async def queue(aws) -> AsyncIterator[Queue]:
    name = f"fire-{uuid4()}"
    queue = replace(INVENTORY_FROM_ORDERS, name=name, hears=Topic(name=name))
    topic = queue.hears
    assert topic
    await provision(aws, Topology(topics=(topic,), queues=(queue,)))
    yield queue
    for made in (queue.name, queue.dead_letters):
        await aws.sqs.delete_queue(QueueUrl=await aws.queue_url(made))


def messages_of(orders: Sequence[Reservation], *, bundle: int) -> list[str]:
    """As the queue may bring them: shuffled, a third twice or announced anew."""
    events = [placed(order) for order in orders]
    events += DICE.sample(events, len(events) * 3 // 20)
    events += [placed(order) for order in DICE.sample(orders, len(orders) * 3 // 20)]
    DICE.shuffle(events)
    wires = [
        to_wire(
            id=event.id,
            source=event.source,
            type=event.data.type,
            subject=event.subject,
            time=event.time,
            sequence=event.sequence,
            traceparent=None,
            data=json.encode(event.data).decode(),
        )
        for event in events
    ]
    return [
        f"[{','.join(wires[start : start + bundle])}]"
        for start in range(0, len(wires), bundle)
    ]


async def test_two_processes_on_one_queue_reserve_each_order_once(
    databases, aws, queue
):
    url = await databases.make("inventory")
    processes = [Database(url, application_name=f"fire-{n}") for n in range(2)]
    first = processes[0]
    await first.transact(stocked, *((sku, 40) for sku in HOT))
    await first.transact(
        stocked, *((sku, 40) for sku in HOT), location="DUBLIN", priority=2
    )
    orders = [
        an_order(*in_any_order(), policy=DICE.choice(list(Policy)), placed_after_s=n)
        for n in range(300)
    ]
    for ten in range(0, len(messages := messages_of(orders, bundle=4)), 10):
        assert not await aws.publish(queue.name, messages[ten : ten + 10])

    async def drained() -> bool:
        return await aws.depth(queue.name) == 0

    async with AsyncExitStack() as stack:
        for process in processes:
            consumer = Consumer(process, aws, queue, handlers.router)
            task = asyncio.create_task(consumer.run())
            stack.push_async_callback(asyncio.wait_for, task, 10)
            stack.callback(consumer.stop)
        await eventually(drained, within_s=60)

    assert await sold(first) == dict.fromkeys(HOT, 80)
    async with first.begin() as tx:
        assert len(await quantities(tx, "reservations")) == 300
        versions = select(outbox.c.subject).where(
            outbox.c.type == "inventory.reservation_changed.v1"
        )
        answered = set((await tx.execute(versions)).scalars())
        assert answered == {str(order.order_id) for order in orders}
    assert await aws.depth(queue.dead_letters) == 0
    for process in processes:
        await process.close()
    await databases.drop(url)


async def test_an_order_that_fits_only_across_two_locations_is_served_from_both(
    database,
):
    await database.transact(stocked, ("SOAP", 3), ("RUM", 1))
    await database.transact(
        stocked, ("SOAP", 1), ("TEA", 2), location="DUBLIN", priority=2
    )
    order = an_order(("SOAP", 4), ("RUM", 1), ("TEA", 2))

    await database.transact(handlers.follow_orders, [placed(order)])

    async with database.begin() as tx:
        kept = await quantities(tx, "allocations")
        await assert_books_agree(tx)
    assert [(row["line"], row["location"], row["reserved"]) for row in kept] == [
        (1, "CORK", 3),
        (1, "DUBLIN", 1),
        (2, "CORK", 1),
        (3, "DUBLIN", 2),
    ]
