import asyncio
from collections.abc import Sequence
from random import Random
from typing import TypeAlias
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from chassis import inbox
from chassis.database import Database
from chassis.testing import statements_of
from contracts.inventory import ReservationChanged
from contracts.orders import Policy
from inventory.commands.products import put_product
from inventory.commands.stock import receive_goods
from inventory.domain.reservations import Reservation
from inventory.handlers.orders import OrderEvent, follow_orders, router
from inventory.schema import reservation_lines
from tests.inventory.factories import (
    a_delivery,
    a_product,
    a_reserved_line,
    an_order,
    cancelled,
    placed,
    stocked,
)
from tests.inventory.figures import assert_books_agree, quantities

DICE = Random(7)  # the same tests every time


async def test_a_placed_order_has_its_units_reserved(tx, published):
    await stocked(tx, ("SOAP", 5))
    order = an_order(("SOAP", 2))

    await follow_orders(tx, [placed(order)])

    announced = (await published())[-1]
    assert announced.subject == str(order.order_id)
    assert announced.data == ReservationChanged(
        order_id=order.order_id,
        version=1,
        cause="order_placed",
        lines=(a_reserved_line(requested=2, reserved=2),),
    )
    await assert_books_agree(tx)


@pytest.mark.parametrize(
    ("policy", "line"),
    [
        (Policy.ALL_OR_NOTHING, a_reserved_line(requested=7)),
        (Policy.ALLOW_PARTIAL, a_reserved_line(requested=7, reserved=5)),
        (
            Policy.ALLOW_BACKORDER,
            a_reserved_line(requested=7, reserved=5, backordered=2),
        ),
    ],
)
async def test_an_order_that_is_too_large_is_served_by_its_policy(
    tx, published, policy, line
):
    await stocked(tx, ("SOAP", 5))

    await follow_orders(tx, [placed(an_order(("SOAP", 7), policy=policy))])

    assert (await published())[-1].data.lines == (line,)
    await assert_books_agree(tx)


@pytest.mark.parametrize("policy", Policy)
async def test_an_unknown_product_is_short_under_every_policy(tx, published, policy):
    order = an_order(("NOTHING", 2), policy=policy)

    await follow_orders(tx, [placed(order)])

    assert (await published())[-1].data.lines == (a_reserved_line(requested=2),)


async def test_orders_that_are_short_are_counted(database, counted):
    await database.transact(follow_orders, [placed(an_order(("NOTHING", 2)))])

    news = counted()
    assert news["orderly.orders.short"] == {"": 1}
    assert news["orderly.units.short"] == {"": 2}


async def test_a_product_that_never_came_in_can_be_waited_for(tx, published):
    await put_product(tx, a_product())
    order = an_order(("SOAP", 2), policy=Policy.ALLOW_BACKORDER)

    await follow_orders(tx, [placed(order)])

    expected = a_reserved_line(requested=2, backordered=2)
    assert (await published())[-1].data.lines == (expected,)


async def test_the_first_receipt_of_a_product_serves_who_waits_for_it(tx, published):
    await put_product(tx, a_product())
    order = an_order(("SOAP", 2), policy=Policy.ALLOW_BACKORDER)
    await follow_orders(tx, [placed(order)])

    await stocked(tx, ("SOAP", 3))

    expected = a_reserved_line(requested=2, reserved=2)
    assert (await published())[-1].data.lines == (expected,)


async def test_an_order_announced_again_is_answered_as_it_stands(tx, published):
    await stocked(tx, ("SOAP", 5))
    order = an_order(("SOAP", 7), policy=Policy.ALLOW_BACKORDER)
    await follow_orders(tx, [placed(order)])
    await receive_goods(tx, a_delivery(("SOAP", 1)), actor="staff")
    moved = await quantities(tx, "movements")

    await follow_orders(tx, [placed(order)])

    *_, before, answer = await published()
    assert answer == before
    assert answer.data.version == 2
    assert await quantities(tx, "movements") == moved


async def test_an_order_announced_twice_at_once_is_reserved_once(tx, published):
    await stocked(tx, ("SOAP", 5))
    order = an_order(("SOAP", 2))

    await follow_orders(tx, [placed(order), placed(order)])

    assert [a.subject for a in await published()].count(str(order.order_id)) == 1
    await assert_books_agree(tx)


async def test_new_and_known_orders_of_a_batch_are_all_answered(tx, published):
    await stocked(tx, ("SOAP", 5))
    known, new = an_order(("SOAP", 2)), an_order(("SOAP", 2))
    await follow_orders(tx, [placed(known)])

    await follow_orders(tx, [placed(new), placed(known)])

    answered = {a.subject: a.data.version for a in (await published())[-2:]}
    assert answered == {str(known.order_id): 1, str(new.order_id): 1}


async def test_orders_are_served_in_the_order_in_which_they_were_placed(tx):
    await stocked(tx, ("SOAP", 1))
    late, early = an_order(("SOAP", 1), placed_after_s=9), an_order(("SOAP", 1))

    await follow_orders(tx, [placed(late), placed(early)])

    rows = await quantities(tx, "reservation_lines")
    reserved = {row["order_id"]: row["reserved"] for row in rows}
    assert reserved == {early.order_id: 1, late.order_id: 0}


Batch: TypeAlias = list[OrderEvent]


async def count_statements(database: Database, batch: Batch) -> int:
    async with database.begin() as tx, statements_of(tx) as statements:
        await follow_orders(tx, batch)
    return len(statements)


async def new_orders(_: Database, size: int) -> Batch:
    return [placed(an_order(("SOAP", 1), ("RUM", 1))) for _ in range(size)]


async def cancellations(database: Database, size: int) -> Batch:
    """Also of orders that have not come yet."""
    orders = [an_order(("SOAP", 1), ("RUM", 1)) for _ in range(size)]
    await database.transact(follow_orders, [placed(order) for order in orders])
    return [
        *(cancelled(order.order_id, {1: 1, 2: 1}) for order in orders),
        *(cancelled(uuid4(), {1: 1}) for _ in range(size)),
    ]


async def everything_at_once(database: Database, size: int) -> Batch:
    """Orders, one of them again, and cancellations of what others wait for."""
    await database.transact(stocked, ("RUM", size))
    asked = await cancellations(database, size)
    takes_the_rest = an_order(("RUM", 5000), policy=Policy.ALLOW_PARTIAL)
    await database.transact(follow_orders, [placed(takes_the_rest)])
    waiting = [an_order(("RUM", 1), policy=Policy.ALLOW_BACKORDER) for _ in range(size)]
    await database.transact(follow_orders, [placed(order) for order in waiting])
    return [*await new_orders(database, size), *asked, placed(waiting[0])]


@pytest.mark.parametrize(
    ("batch", "statements"),
    [(new_orders, 4), (cancellations, 6), (everything_at_once, 10)],
)
async def test_the_statements_of_a_batch_do_not_grow_with_it(
    database, batch, statements
):
    await database.transact(stocked, ("SOAP", 500), ("RUM", 500))

    few = await count_statements(database, await batch(database, 2))
    many = await count_statements(database, await batch(database, 200))

    assert (few, many) == (statements, statements)


async def handle_in_four_processes(
    database: Database, orders: Sequence[Reservation], *, batch: int
) -> None:
    """As a queue and a watchdog would have it: shuffled, and many of them again."""
    quarter = len(orders) // 4
    events = [placed(order) for order in orders]
    events += DICE.sample(events, quarter)
    events += [placed(order) for order in DICE.sample(orders, quarter)]
    DICE.shuffle(events)
    batches = [events[i : i + batch] for i in range(0, len(events), batch)]

    async def process() -> None:
        while batches:
            async with database.begin() as tx:  # once: a deadlock would show
                fresh = await inbox.claim(tx, batches.pop())
                await router.dispatch(tx, fresh)

    await asyncio.gather(*(process() for _ in range(4)))


async def test_three_hot_products_are_sold_to_the_last_unit_and_no_further(database):
    skus = ("SOAP", "RUM", "TEA")
    await database.transact(stocked, *((sku, 50) for sku in skus))
    orders = [
        an_order(
            *((sku, 1) for sku in DICE.sample(skus, 3)),
            policy=Policy.ALLOW_PARTIAL,
            placed_after_s=number,
        )
        for number in range(256)
    ]

    await handle_in_four_processes(database, orders, batch=16)

    async with database.begin() as tx:
        shelves = await quantities(tx, "stock")
        assert [shelf["reserved"] for shelf in shelves] == [50, 50, 50]
        assert len(await quantities(tx, "reservations")) == 256
        await assert_books_agree(tx)


async def test_orders_that_take_all_or_nothing_take_turns_without_deadlock(database):
    skus = [f"SKU-{number}" for number in range(8)]
    await database.transact(stocked, *((sku, 20) for sku in skus))
    orders = [
        an_order(*((sku, DICE.randint(1, 3)) for sku in DICE.sample(skus, 4)))
        for _ in range(160)
    ]

    await handle_in_four_processes(database, orders, batch=8)

    async with database.begin() as tx:
        await assert_books_agree(tx)
        rows = await tx.execute(
            select(
                func.sum(reservation_lines.c.reserved),
                func.sum(reservation_lines.c.requested),
            ).group_by(reservation_lines.c.order_id)
        )
        assert all(reserved in {0, requested} for reserved, requested in rows)


async def test_goods_that_come_in_while_orders_do_are_given_to_who_waits(database):
    await database.transact(stocked, ("SOAP", 1), ("RUM", 1))
    orders = [
        an_order(
            ("SOAP", 1),
            ("RUM", 1),
            policy=Policy.ALLOW_BACKORDER,
            placed_after_s=number,
        )
        for number in range(60)
    ]

    async def receive():
        for sku in ("SOAP", "RUM") * 10:
            async with database.begin() as tx:
                await receive_goods(tx, a_delivery((sku, 4)), actor="staff")

    await asyncio.gather(
        receive(), receive(), handle_in_four_processes(database, orders, batch=6)
    )

    async with database.begin() as tx:
        await assert_books_agree(tx)
        waiting = select(func.sum(reservation_lines.c.backordered))
        assert (await tx.execute(waiting)).scalar_one() == 0
