"""What Orders and Inventory announce, as it ends up in a real database."""

import asyncio
from collections import Counter
from random import Random
from typing import Any, ClassVar
from uuid import UUID

import pytest
from sqlalchemy import select, update

from accounting.domain.lines import Inconsistent
from accounting.handlers.orders import post_orders
from accounting.handlers.stock import post_stock
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
from accounting.store.orders import get
from accounting.store.parking import find_refused
from chassis.database import Database, Tx
from chassis.events import Announcement, Envelope, Event
from chassis.testing import Databases, statements_of
from contracts.accounting import PaymentPosition, PaymentStatus, RefundRequested
from contracts.inventory import Condition
from tests.accounting.factories import (
    AT,
    TERMS,
    UNEVEN,
    a_line,
    a_product,
    a_receipt,
    an_adjustment,
    an_order,
    arriving,
    cancelled,
    confirmed,
    facts_of,
    rejected,
    returned,
    shipped,
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


async def test_a_batch_costs_as_many_statements_as_one_order(tx):
    def settled(count: int) -> list[Envelope[Event]]:
        placed = [an_order(UNEVEN) for _ in range(count)]
        return stories(
            *(
                story(
                    one,
                    confirmed(one, short={1: 1}),
                    shipped(one, {1: 1}, cost=640),
                    returned(one, (1, 1, Condition.RESELLABLE), cost=640),
                    cancelled(one, {1: 1}),
                )
                for one in placed
            )
        )

    async def statements(facts: list[Envelope[Event]]) -> int:
        async with statements_of(tx) as asked:
            await post_orders(tx, facts)
        return len(asked)

    assert await statements(settled(100)) == await statements(settled(1)) <= 8


async def test_a_fact_that_was_refused_does_not_harm_those_that_released_it(tx):
    placed = an_order()
    too_many = shipped(placed, {1: 3})
    first, wrong, *later = facts_of(
        placed.order_id, placed, too_many, confirmed(placed), cancelled(placed, {1: 2})
    )
    await post_orders(tx, [wrong, *later])

    await post_orders(tx, [first])

    assert await rules_of(tx, placed.order_id) == ["order_placed"]
    assert await parked(tx) == [2, 3, 4]
    (refused,) = await find_refused(tx, 10)
    assert (refused.sequence, refused.raw["id"]) == (2, str(wrong.id))
    assert "is placed, not confirmed" in refused.reason


async def test_facts_behind_a_refused_one_wait_also_when_they_have_just_come(tx):
    placed = an_order()
    wrong = shipped(placed, {1: 3})
    one, two, three = facts_of(placed.order_id, placed, wrong, confirmed(placed))
    await post_orders(tx, [two])

    await post_orders(tx, [three, one])

    assert await rules_of(tx, placed.order_id) == ["order_placed"]
    assert await parked(tx) == [2, 3]


async def test_a_refused_fact_that_comes_again_and_is_right_lets_the_others_go_on(tx):
    placed = an_order()
    wrong = shipped(placed, {1: 3})
    one, two, three = facts_of(
        placed.order_id, placed, wrong, shipped(placed, {1: 2}, cost=640)
    )
    await post_orders(tx, [two, three])
    await post_orders(tx, [one])

    right = arriving(confirmed(placed), subject=str(placed.order_id), sequence=2)
    await post_orders(tx, [right])

    assert await parked(tx) == []
    assert await find_refused(tx, 10) == []
    assert (await rules_of(tx, placed.order_id))[-1] == "order_shipped"


async def test_a_fact_waits_since_it_came_first(tx):
    placed = an_order()
    _, two, three = story(placed, confirmed(placed), shipped(placed, {1: 1}))
    await post_orders(tx, [three])
    await tx.execute(update(parked_facts).values(parked_at=AT))

    await post_orders(tx, [two, three])

    since = select(parked_facts.c.parked_at).order_by("sequence")
    assert (await tx.execute(since)).scalars().all()[-1] == AT


async def test_credit_notes_lessen_what_is_open_the_oldest_invoice_first(tx):
    placed = an_order(a_line(quantity=4, tax=0), payment=TERMS)
    comes_back = returned(placed, (1, 3, Condition.RESELLABLE))

    await post_orders(
        tx,
        story(
            placed,
            confirmed(placed),
            shipped(placed, {1: 1}),
            shipped(placed, {1: 3}),
            comes_back,
        ),
    )

    found = await tx.execute(
        select(documents.c.series, documents.c.total, documents.c.credited).order_by(
            documents.c.id
        )
    )
    # The first invoice has the shipping with its tax: 583.
    assert [tuple(row) for row in found] == [
        ("INV", 1833, 1833),
        ("INV", 3750, 1917),
        ("CRN", 3750, 3750),
    ]


@pytest.mark.parametrize(("delta", "loss"), [(-3, 1920), (2, -1280)])
async def test_what_is_missing_is_a_loss_and_what_is_found_is_none(tx, delta, loss):
    await post_stock(tx, [arriving(an_adjustment(delta))])

    found = await tx.execute(
        select(postings.c.account, postings.c.debit - postings.c.credit)
    )
    assert dict(tuple(row) for row in found) == {"5100": loss, "1200": -loss}


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
