"""Facts in any order, any number of times, by several at once: the same books."""

import asyncio
from collections import Counter
from random import Random
from typing import Any

import pytest
from sqlalchemy import select

from accounting.handlers.orders import post_orders
from accounting.schema import (
    documents,
    entries,
    order_cursors,
    order_lines,
    orders,
    parked_facts,
    postings,
    refunds,
)
from chassis.database import Database, Tx
from chassis.events import Envelope, Event
from chassis.testing import Databases, statements_of
from contracts.inventory import Condition
from tests.accounting.factories import (
    TERMS,
    UNEVEN,
    a_line,
    an_order,
    cancelled,
    confirmed,
    rejected,
    returned,
    shipped,
    stories,
    story,
)


def some_orders(random: Random, count: int) -> list[list[Envelope[Event]]]:
    """Orders of every kind, and all that can happen to them."""
    made = []
    for _ in range(count):
        lines = [UNEVEN, a_line(2), a_line(3, quantity=7, discount=50, tax=331)]
        placed = an_order(
            *lines[: random.randint(1, 3)],
            currency=random.choice(["EUR", "JPY", "KWD"]),
            **({"payment": TERMS} if random.random() < 0.3 else {}),
        )
        goes_on = [
            confirmed(placed, short={1: random.randint(0, 1)}),
            shipped(placed, {1: 1}, cost=64),
            cancelled(placed, {1: 1}),
            returned(placed, (1, 1, random.choice(list(Condition))), cost=64),
        ]
        ends = [rejected(placed)]
        made.append(story(placed, *random.choice([goes_on, ends])))
    return made


async def books(tx: Tx) -> dict[str, Counter[tuple[Any, ...]]]:
    """Everything the books say, without what differs from one keeping to another."""
    said = {
        "postings": select(
            entries.c.rule,
            entries.c.order_id,
            entries.c.effective_on,
            postings.c.account,
            postings.c.currency,
            postings.c.debit,
            postings.c.credit,
        ).join(postings, postings.c.entry_id == entries.c.id),
        "documents": select(
            documents.c.order_id,
            documents.c.series,
            documents.c.net,
            documents.c.tax,
            documents.c.credited,
        ),
        "refunds": select(refunds.c.order_id, refunds.c.amount),
        "positions": select(
            orders.c.id, orders.c.payment_version, orders.c.payment_status
        ),
        "sums": select(
            orders.c.id, orders.c.invoiced, orders.c.credited, orders.c.to_refund
        ),
        "lines": select(
            order_lines.c.order_id,
            order_lines.c.shipped,
            order_lines.c.cancelled,
            order_lines.c.returned,
        ),
        "cursors": select(order_cursors),
        "parked": select(parked_facts.c.order_id),
    }
    return {
        what: Counter(map(tuple, await tx.execute(query)))
        for what, query in said.items()
    }


async def take_down(tx: Tx, facts: list[Envelope[Event]], batch: int) -> None:
    for start in range(0, len(facts), batch):
        await post_orders(tx, facts[start : start + batch])


@pytest.mark.parametrize("seed", range(5))
async def test_shuffled_and_doubled_facts_make_the_same_books(tx, seed):
    random = Random(seed)
    facts = stories(*some_orders(random, 30))
    shuffled = facts * 2
    random.shuffle(shuffled)
    in_order = await tx.begin_nested()
    await take_down(tx, facts, len(facts))
    expected = await books(tx)
    await in_order.rollback()

    await take_down(tx, shuffled, random.randint(1, 40))

    assert await books(tx) == expected
    assert not expected["parked"]


async def test_a_thousand_shuffled_and_doubled_orders_make_the_same_books(
    databases: Databases,
):
    random = Random(0)
    facts = stories(*some_orders(random, 1000))
    shuffled = facts * 2
    random.shuffle(shuffled)

    async def kept(told: list[Envelope[Event]]) -> dict[str, Counter[Any]]:
        url = await databases.make("accounting")
        database = Database(url, application_name="tests")
        for start in range(0, len(told), 1000):
            await database.transact(post_orders, told[start : start + 1000])
        async with database.begin() as tx:
            said = await books(tx)
        await database.close()
        await databases.give_back("accounting", url)
        return said

    expected = await kept(facts)

    assert await kept(shuffled) == expected
    assert not expected["parked"]


async def test_processes_that_hear_of_the_same_orders_at_once_book_them_once(
    database: Database,
):
    random = Random(1)
    facts = stories(*some_orders(random, 20))

    async def take_all() -> None:
        mine = random.sample(facts, len(facts))
        for start in range(0, len(mine), 9):
            await database.transact(post_orders, mine[start : start + 9])

    await asyncio.gather(*(take_all() for _ in range(4)))

    async with database.begin() as tx:
        kept = await books(tx)
    assert set(kept["postings"].values()) == {1}
    told = Counter(event.subject for event in facts)
    assert {str(order_id): n for order_id, n in kept["cursors"]} == told
    assert not kept["parked"]


def placed_and_settled(
    count: int,
) -> tuple[list[Envelope[Event]], list[Envelope[Event]]]:
    """Facts of new orders, and what becomes of them."""
    placed = [an_order(UNEVEN) for _ in range(count)]
    facts = [
        story(
            one,
            confirmed(one, short={1: 1}),
            shipped(one, {1: 1}, cost=640),
            returned(one, (1, 1, Condition.RESELLABLE), cost=640),
            cancelled(one, {1: 1}),
        )
        for one in placed
    ]
    return [first for first, *_ in facts], stories(*(rest for _, *rest in facts))


@pytest.mark.parametrize("count", [1, 100])
async def test_a_batch_costs_as_many_statements_as_one_order(tx, count):
    placed, settled = placed_and_settled(count)

    async with statements_of(tx) as of_new:
        await post_orders(tx, placed)
    async with statements_of(tx) as of_known:
        await post_orders(tx, settled)

    assert (len(of_new), len(of_known)) == (3, 6)
