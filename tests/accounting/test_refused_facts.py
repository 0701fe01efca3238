"""Facts that cannot be booked, and those that wait behind them."""

from sqlalchemy import select, update

from accounting.handlers.orders import post_orders
from accounting.schema import parked_facts
from accounting.store.parking import find_refused
from chassis.events import event_in
from tests.accounting.booked import parked, rules_of
from tests.accounting.factories import (
    AT,
    an_order,
    arriving,
    cancelled,
    confirmed,
    facts_of,
    shipped,
    story,
)


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
    assert (refused.sequence, event_in(refused.alone)["id"]) == (2, str(wrong.id))
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
