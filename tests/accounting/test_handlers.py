"""What Orders and Inventory announce, as it ends up in a real database."""

import asyncio
from collections import Counter
from random import Random
from typing import Any, ClassVar
from uuid import UUID

import pytest
from sqlalchemy import event as sqlalchemy_events
from sqlalchemy import select

from accounting.domain.lines import Inconsistent
from accounting.handlers.orders import post_orders
from accounting.handlers.stock import post_stock
from accounting.schema import (
    documents,
    entries,
    order_cursors,
    orders,
    parked_facts,
    postings,
    refunds,
)
from accounting.store.orders import get
from chassis.database import Database, Tx
from chassis.events import Announcement, Envelope, Event
from contracts.accounting import PaymentPosition, PaymentStatus, RefundRequested
from tests.accounting.factories import (
    TERMS,
    UNEVEN,
    a_line,
    a_product,
    a_receipt,
    an_order,
    arriving,
    confirmed,
    facts_of,
    rejected,
    stories,
    story,
)


class OrderAdmired(Event):
    """A fact that no rule is about."""

    type: ClassVar[str] = "orders.order_admired.v1"

    order_id: UUID


async def rules_of(tx: Tx, order_id: UUID) -> list[str]:
    of_order = entries.c.order_id == order_id
    found = await tx.execute(select(entries.c.rule).where(of_order).order_by("id"))
    return list(found.scalars())


async def parked(tx: Tx) -> list[int]:
    sequence = parked_facts.c.sequence
    return list((await tx.execute(select(sequence).order_by(sequence))).scalars())


async def test_an_order_is_stored_as_it_was_placed_and_decided(tx):
    placed = an_order(UNEVEN, a_line(2))

    await post_orders(tx, story(placed, confirmed(placed, short={1: 1})))

    order = (await get(tx, [placed.order_id]))[placed.order_id]
    assert [(line.sku, line.quantity, line.short) for line in order.lines] == [
        ("SOAP", 3, 1),
        ("SKU-2", 2, 0),
    ]
    assert order.ordered.total == placed.total
    assert order.ship_to["city"] == "Cork"
    assert order.position.status is PaymentStatus.REFUND_PENDING


async def test_facts_may_come_one_by_one(tx):
    placed = an_order(UNEVEN)

    for fact in story(placed, confirmed(placed, short={1: 1})):
        await post_orders(tx, [fact])

    assert await rules_of(tx, placed.order_id) == [
        "order_placed",
        "order_confirmed",
        "order_confirmed_short",
    ]


async def test_a_refund_is_announced_with_the_order_s_position(tx, published):
    placed = an_order()

    await post_orders(tx, story(placed, rejected(placed)))

    refund_id = (await tx.execute(select(refunds.c.id))).scalar_one()
    position = PaymentPosition(version=2, status=PaymentStatus.REFUND_PENDING)
    refund = RefundRequested(
        order_id=placed.order_id,
        refund_id=refund_id,
        amount=3558,
        currency="EUR",
        provider="acme-pay",
        reference="pay_77",
        payment=position,
    )
    assert await published() == [Announcement(refund, str(placed.order_id))]


async def test_an_early_fact_waits_for_the_one_before_it(tx):
    placed = an_order()
    first, second = story(placed, confirmed(placed))

    await post_orders(tx, [second])
    assert await parked(tx) == [2]
    assert await rules_of(tx, placed.order_id) == []

    await post_orders(tx, [first])
    assert await parked(tx) == []
    assert await rules_of(tx, placed.order_id) == ["order_placed", "order_confirmed"]


async def test_a_sequence_is_applied_once_under_whatever_id_it_comes(tx):
    placed = an_order()
    facts = story(placed, rejected(placed))

    await post_orders(tx, facts)
    await post_orders(tx, story(placed, rejected(placed)))

    assert await rules_of(tx, placed.order_id) == ["order_placed", "order_rejected"]


async def test_a_fact_without_a_rule_takes_its_place(tx):
    placed = an_order()
    admired = OrderAdmired(order_id=placed.order_id)
    first, second, third = facts_of(placed.order_id, placed, admired, confirmed(placed))

    await post_orders(tx, [third, first])
    assert await rules_of(tx, placed.order_id) == ["order_placed"]
    await post_orders(tx, [second])

    assert await rules_of(tx, placed.order_id) == ["order_placed", "order_confirmed"]
    assert (await tx.execute(select(order_cursors.c.applied))).scalars().all() == [3]


async def test_a_fact_that_cannot_be_true_is_not_booked(tx):
    placed = an_order()

    with pytest.raises(Inconsistent):
        await post_orders(tx, facts_of(placed.order_id, rejected(placed)))


def some_orders(random: Random, count: int) -> list[list[Envelope[Event]]]:
    """Orders of every kind, decided in every way."""
    made = []
    for _ in range(count):
        lines = [UNEVEN, a_line(2), a_line(3, quantity=7, discount=50, tax=331)]
        placed = an_order(
            *lines[: random.randint(1, 3)],
            currency=random.choice(["EUR", "JPY", "KWD"]),
            **({"payment": TERMS} if random.random() < 0.2 else {}),
        )
        short = {1: random.randint(0, 2)}
        decided = random.choice([confirmed(placed, short=short), rejected(placed)])
        made.append(story(placed, decided))
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
        "documents": select(documents.c.order_id, documents.c.net, documents.c.tax),
        "refunds": select(refunds.c.order_id, refunds.c.amount),
        "positions": select(
            orders.c.id, orders.c.payment_version, orders.c.payment_status
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
    assert {applied for _, applied in kept["cursors"]} == {2}
    assert not kept["parked"]


async def test_a_batch_costs_as_many_statements_as_one_order(tx):
    def settled(count: int) -> list[Envelope[Event]]:
        placed = [an_order(UNEVEN) for _ in range(count)]
        return stories(*(story(one, confirmed(one, short={1: 1})) for one in placed))

    async def statements(facts: list[Envelope[Event]]) -> int:
        seen: list[str] = []

        def note(*arguments: object) -> None:
            seen.append(str(arguments[2]))

        engine = tx.engine.sync_engine
        sqlalchemy_events.listen(engine, "before_cursor_execute", note)
        await post_orders(tx, facts)
        sqlalchemy_events.remove(engine, "before_cursor_execute", note)
        return len(seen)

    assert await statements(settled(100)) == await statements(settled(1)) <= 11


async def test_goods_received_are_posted_once(tx):
    receipt = arriving(a_receipt())

    await post_stock(tx, [receipt])
    await post_stock(tx, [receipt])

    found = await tx.execute(
        select(postings.c.account, postings.c.debit - postings.c.credit).order_by(
            "account"
        )
    )
    assert [tuple(row) for row in found] == [
        ("1200", 6400),
        ("2300", -6500),
        ("5200", 100),
    ]


async def test_a_new_product_is_worth_nothing_yet_and_a_changed_one_is_revalued(tx):
    new = a_product(previous_unit_cost=None, on_hand=0)

    await post_stock(tx, [arriving(new), arriving(a_product())])

    found = await tx.execute(select(entries.c.rule, entries.c.order_id))
    assert [tuple(row) for row in found] == [("stock_revalued", None)]


async def test_a_receipt_and_a_revaluation_are_posted_together(tx):
    await post_stock(
        tx, [arriving(a_receipt()), arriving(a_product()), arriving(a_receipt())]
    )

    found = await tx.execute(select(entries.c.rule))
    assert Counter(found.scalars()) == {"stock_received": 2, "stock_revalued": 1}
