"""Facts that do not come, and facts that cannot be entered."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from msgspec import json, structs
from sqlalchemy import func, select, update

from accounting.commands.documents import number_documents
from accounting.commands.gaps import (
    Patience,
    ask_for_missing,
    put_refused_aside,
)
from accounting.handlers import orders
from accounting.handlers.orders import post_orders
from accounting.main import SERVICE, asker, clerk, watch
from accounting.schema import gaps, order_cursors, parked_facts
from accounting.settings import EXAMPLE_SELLER, Settings
from accounting.store.parking import count_waiting, find_refused, note_gaps
from chassis import aside
from chassis.consumer import Consumer
from chassis.database import Database, Tx
from chassis.events import to_wire
from chassis.lifecycle import Runtime
from chassis.outbox import outbox
from chassis.queues import Aws
from chassis.testing import eventually
from chassis.topology import Queue, Topic, Topology, provision
from contracts import topology
from contracts.accounting import FactsMissing
from contracts.topology import ACCOUNTING_FROM_ORDERS
from tests.accounting.factories import an_order, confirmed, facts_of, shipped, story
from tests.accounting.waiting import is_in_an_hour
from tests.chassis.faults import with_faults

AGE = timedelta(seconds=60)
AT_ONCE = Patience(asks_after=timedelta(0))


@pytest.fixture
async def queue(aws: Aws) -> Queue:
    """The queue from Orders, of the test's own."""
    topic = Topic(name=f"orders-{uuid4().hex[:8]}")
    own = replace(ACCOUNTING_FROM_ORDERS, name=f"{topic.name}-queue", hears=topic)
    await provision(aws, Topology(topics=(topic,), queues=(own,)))
    return own


def with_a_gap():
    placed = an_order()
    first, second, third = story(placed, confirmed(placed), shipped(placed, {1: 1}))
    return placed, [first, third], second


async def grow_older(tx: Tx, seconds: int) -> None:
    age = timedelta(seconds=seconds)
    await tx.execute(
        update(parked_facts).values(parked_at=parked_facts.c.parked_at - age)
    )
    await tx.execute(update(gaps).values(asked_at=gaps.c.asked_at - age))


async def asked(tx: Tx) -> list[int]:
    return [gap.from_sequence for gap in await note_gaps(tx, age=AGE, most=10)]


async def test_a_gap_is_asked_about_when_it_is_old_enough(tx):
    _, facts, _ = with_a_gap()
    await post_orders(tx, facts)
    assert await asked(tx) == []

    await grow_older(tx, 60)

    assert await asked(tx) == [2]


async def test_a_gap_is_asked_about_again_after_longer_and_longer(tx):
    _, facts, _ = with_a_gap()
    await post_orders(tx, facts)
    await grow_older(tx, 60)
    times = []

    for minute in range(16):
        times += [minute] * len(await asked(tx))
        await grow_older(tx, 60)

    assert times == [0, 2, 6, 14]


async def test_a_gap_that_does_not_heal_is_asked_about_once_a_day(tx):
    _, facts, _ = with_a_gap()
    await post_orders(tx, facts)
    day, hour = 24 * 60 * 60, 60 * 60
    for _ in range(12):
        await grow_older(tx, day)
        assert await asked(tx) == [2]

    await grow_older(tx, day - hour)

    assert await asked(tx) == []
    await grow_older(tx, hour)
    assert await asked(tx) == [2]


async def test_a_sweep_asks_about_so_many_and_the_next_about_others(tx):
    for _ in range(3):
        await post_orders(tx, with_a_gap()[1])
    await grow_older(tx, 60)

    first = await note_gaps(tx, age=AGE, most=2)
    second = await note_gaps(tx, age=AGE, most=2)

    assert (len(first), len(second)) == (2, 1)
    assert len({gap.order_id for gap in (*first, *second)}) == 3


async def test_a_gap_that_closed_is_forgotten(tx):
    _, facts, missing = with_a_gap()
    await post_orders(tx, facts)
    await grow_older(tx, 60)
    await asked(tx)

    await post_orders(tx, [missing])

    assert await asked(tx) == []
    assert (await tx.execute(select(func.count()).select_from(gaps))).scalar() == 0


async def test_the_first_fact_may_be_the_one_that_is_missing(tx):
    placed = an_order()
    await post_orders(tx, story(placed, confirmed(placed))[1:])
    await grow_older(tx, 60)

    assert await asked(tx) == [1]


async def test_a_refused_fact_is_not_missing(tx):
    placed = an_order()
    first, second = story(placed, shipped(placed, {1: 1}))
    await post_orders(tx, [second])
    await post_orders(tx, [first])
    await grow_older(tx, 60)

    assert await asked(tx) == []


async def test_what_waits_too_long_is_counted_by_orders(tx):
    _, facts, _ = with_a_gap()
    await post_orders(tx, facts)
    assert (await count_waiting(tx, AGE)).overdue == 0

    await grow_older(tx, 60)

    waiting = await count_waiting(tx, AGE)
    assert (waiting.parked, waiting.refused, waiting.overdue) == (1, 0, 1)


async def test_an_order_whose_fact_was_refused_has_no_gap(tx):
    placed = an_order()
    first, second, third = story(
        placed, shipped(placed, {1: 1}), shipped(placed, {1: 1})
    )
    await post_orders(tx, [second, third])
    await post_orders(tx, [first])
    await grow_older(tx, 60)

    waiting = await count_waiting(tx, AGE)

    assert (waiting.parked, waiting.refused, waiting.overdue) == (2, 1, 0)


async def test_what_waits_is_missing_or_was_refused_is_told(database, counted):
    placed = an_order()
    first, second = story(placed, shipped(placed, {1: 1}))
    await database.transact(post_orders, [second])
    await database.transact(post_orders, [first])
    await database.transact(post_orders, with_a_gap()[1])
    await database.transact(grow_older, 60 * 60)

    await watch(database, Patience()).work()

    news = counted()
    told = [news[f"orderly.facts.{what}"] for what in ("parked", "missing", "refused")]
    assert told == [{"": 2}, {"": 1}, {"": 1}]


async def announced(database: Database) -> list[dict]:
    async with database.begin() as tx:
        of_type = outbox.c.type == FactsMissing.type
        return list((await tx.execute(select(outbox.c.data).where(of_type))).scalars())


async def test_orders_is_asked_for_what_is_missing(database, aws, queue):
    placed, facts, _ = with_a_gap()
    await database.transact(post_orders, facts)

    assert await asker(database, aws, queue, AT_ONCE).work()

    assert await announced(database) == [
        {"order_id": str(placed.order_id), "from_sequence": 2}
    ]


async def test_a_gap_is_asked_about_and_shown_in_time_though_nobody_uses_the_service(
    database, aws, queue
):
    patience = Patience(
        asks_after=timedelta(minutes=20), alarms_after=timedelta(minutes=30)
    )
    await database.transact(post_orders, with_a_gap()[1])
    async with database.begin() as tx:
        parked_at = (await tx.execute(select(parked_facts.c.parked_at))).scalar_one()

    assert await asker(database, aws, queue, patience).work() == (
        parked_at + patience.asks_after
    )
    assert await watch(database, patience).work() == parked_at + patience.alarms_after


async def test_a_gap_that_nobody_mends_does_not_keep_an_idle_database_awake(
    database, aws, queue, monkeypatch
):
    monkeypatch.setattr(topology, "ACCOUNTING_FROM_ORDERS", queue)
    settings = Settings(database_url="postgresql://not-used")
    parts = SERVICE.assemble(Runtime(settings=settings, database=database, aws=aws))
    await database.transact(post_orders, with_a_gap()[1])
    await database.transact(number_documents, EXAMPLE_SELLER)
    await database.transact(grow_older, 60 * 60)

    dues = {timer.name: await timer.work() for timer in parts.timers}

    assert {name for name, due in dues.items() if due} == {"watch", "asker"}
    assert all(is_in_an_hour(due) for due in dues.values() if due)


async def test_nobody_is_asked_while_the_answer_may_be_in_the_queue(
    database, aws, queue
):
    await database.transact(post_orders, with_a_gap()[1])
    for _ in range(101):
        await aws.send(queue.name, "[]", {})

    assert await ask_for_missing(database, aws, queue, AT_ONCE) == []


def on_the_wire(event) -> str:
    wire = to_wire(
        id=event.id,
        source="orderly/orders",
        type=event.data.type,
        subject=event.subject,
        time=event.time,
        sequence=event.sequence,
        traceparent=None,
        data=json.encode(event.data).decode(),
    )
    return f"[{wire}]"


@pytest.fixture
def hear(database: Database, aws: Aws, queue: Queue) -> Callable:
    """Have accounting handle an event as it comes off the queue."""
    consumer = Consumer(database, aws, queue, orders.router)

    async def hear(body: str) -> None:
        await aws.send(queue.name, body, {})
        await consumer._handle(await aws.receive(queue.name))  # noqa: SLF001

    return hear


async def dead_letters(aws: Aws, queue: Queue):
    return await aws.receive(queue.dead_letters, wait_s=1)


async def test_a_refused_fact_becomes_a_dead_letter_with_its_reason(
    database, aws, queue, hear
):
    placed = an_order()
    first, second = map(on_the_wire, story(placed, shipped(placed, {1: 1})))
    await hear(second)
    await hear(first)

    assert await put_refused_aside(database, aws, queue) == 1

    (letter,) = await dead_letters(aws, queue)
    assert "is placed, not confirmed" in letter.attributes["error"]
    assert letter.attributes["queue"] == queue.name
    assert str(placed.order_id) in letter.body
    assert not await clerk(database, aws, queue).work()  # it is put aside once


async def test_a_redriven_fact_is_put_aside_again_or_entered(
    database, aws, queue, hear
):
    placed = an_order()
    one, two, three = facts_of(
        placed.order_id, placed, confirmed(placed), shipped(placed, {1: 1})
    )
    early = structs.replace(three, sequence=2)
    await hear(on_the_wire(early))
    await hear(on_the_wire(one))
    await put_refused_aside(database, aws, queue)
    (letter,) = await dead_letters(aws, queue)

    await hear(letter.body)  # nothing is any better
    (again,) = await dead_letters(aws, queue)
    await hear(on_the_wire(two))
    await hear(letter.body.replace('"sequence":2', '"sequence":3'))

    assert again.body == letter.body
    async with database.begin() as tx:
        assert (await tx.execute(select(order_cursors.c.applied))).scalar() == 3
        assert (await count_waiting(tx, AGE)).parked == 0


async def test_a_refused_fact_is_put_aside_as_soon_as_it_is_refused(
    database, aws, queue
):
    timer = clerk(database, aws, queue)
    coming_round = asyncio.create_task(timer.run(database))
    placed = an_order()
    first, second = story(placed, shipped(placed, {1: 1}))

    await database.transact(post_orders, [second])
    await database.transact(post_orders, [first])

    async def is_put_aside() -> bool:
        return bool(await dead_letters(aws, queue))

    await eventually(is_put_aside, within_s=timer.every_s / 3)
    coming_round.cancel()


async def test_nobody_waits_for_a_refused_fact_that_was_entered_after_all(
    database, hear, monkeypatch
):
    placed = an_order()
    one, two, three = facts_of(
        placed.order_id, placed, confirmed(placed), shipped(placed, {1: 1})
    )
    await hear(on_the_wire(structs.replace(three, sequence=2)))
    await hear(on_the_wire(one))
    dlq = ACCOUNTING_FROM_ORDERS.name
    async with database.begin() as tx:
        (fact,) = await find_refused(tx, 1)
        await aside.note(tx, dlq, [fact.named], aside.tell_nobody)
    # A newer version, which knows what to do.
    monkeypatch.setattr("accounting.handlers.orders.read_fact", lambda _: None)

    await hear(on_the_wire(structs.replace(two, sequence=3)))

    async with database.begin() as tx:
        assert (await tx.execute(select(aside.asides))).all() == []


async def test_a_letter_that_is_redriven_at_once_is_handled(database, aws, queue, hear):
    placed = an_order()
    first, second = map(on_the_wire, story(placed, shipped(placed, {1: 1})))
    await hear(second)
    await hear(first)

    async def redrive_at_once(_, MessageBody, **__):  # noqa: N803
        await hear(MessageBody)

    at_once = with_faults(aws, sqs={"send_message": redrive_at_once})
    await put_refused_aside(database, at_once, queue)

    (again,) = await dead_letters(aws, queue)  # it was handled, and refused as before
    assert "is placed, not confirmed" in again.attributes["error"]
