import asyncio
from datetime import timedelta

import pytest

from contracts.inventory import StockRanLow
from contracts.orders import Policy
from inventory.commands.holds import expire_holds, hold_units
from inventory.commands.products import put_product
from inventory.commands.reservations import reserve_orders
from inventory.commands.stock import adjust_stock, receive_goods
from tests.inventory.factories import (
    NOON,
    a_delivery,
    a_hold,
    a_product,
    an_adjustment,
    an_order,
    stocked,
)
from tests.inventory.figures import assert_books_agree, quantities


@pytest.fixture
async def ran_low(tx, published):
    """Ten of a product whose reorder point is four; and the warnings so far."""
    await stocked(tx, ("SOAP", 10))
    await put_product(tx, a_product(reorder_point=4))

    async def warnings() -> list[tuple[int, int]]:
        announced = [a.data for a in await published()]
        return [
            (event.available, event.reorder_point)
            for event in announced
            if isinstance(event, StockRanLow)
        ]

    return warnings


async def test_a_product_runs_low_once(tx, ran_low):
    seen = []

    for taken in (5, 1, 1):
        await reserve_orders(tx, [an_order(("SOAP", taken))])
        seen.append(await ran_low())

    assert seen == [[], [(4, 4)], [(4, 4)]]
    await assert_books_agree(tx)


async def test_it_runs_low_again_after_it_recovered(tx, ran_low):
    for _ in range(2):
        await reserve_orders(tx, [an_order(("SOAP", 7))])
        await receive_goods(tx, a_delivery(("SOAP", 7)), actor="staff")

    assert await ran_low() == [(3, 4), (3, 4)]


async def test_a_hold_an_adjustment_and_a_new_reorder_point_count_too(tx, ran_low):
    hold = a_hold(("SOAP", 7))
    await hold_units(tx, hold, actor="checkout")
    await expire_holds(tx, NOON + timedelta(hours=1), most=9)
    await adjust_stock(tx, an_adjustment(-8), actor="staff")
    await adjust_stock(tx, an_adjustment(8), actor="staff")
    await put_product(tx, a_product(reorder_point=10))

    assert await ran_low() == [(3, 4), (2, 4), (10, 10)]


async def test_goods_that_all_go_to_who_waits_do_not_make_it_recover(tx, ran_low):
    waiting = an_order(("SOAP", 20), policy=Policy.ALLOW_BACKORDER)
    await reserve_orders(tx, [waiting])

    await receive_goods(tx, a_delivery(("SOAP", 10)), actor="staff")

    assert await ran_low() == [(0, 4)]


async def test_a_new_product_has_not_run_low(tx, published):
    await put_product(tx, a_product(reorder_point=4))
    await stocked(tx, location="CORK")
    await receive_goods(tx, a_delivery(("SOAP", 3)), actor="staff")

    announced = [a.data for a in await published()]
    assert not any(isinstance(event, StockRanLow) for event in announced)


async def test_a_product_without_a_reorder_point_never_runs_low(tx, ran_low):
    await put_product(tx, a_product(reorder_point=None))

    await reserve_orders(tx, [an_order(("SOAP", 10))])

    assert await ran_low() == []


async def test_two_processes_warn_once_between_them(database):
    await database.transact(stocked, ("SOAP", 20))
    await database.transact(put_product, a_product(reorder_point=10))

    await asyncio.gather(
        *(database.transact(reserve_orders, [an_order(("SOAP", 1))]) for _ in range(20))
    )

    async with database.begin() as tx:
        events = await tx.exec_driver_sql(
            "SELECT count(*) FROM outbox WHERE type = 'inventory.stock_ran_low.v1'"
        )
        assert events.scalar_one() == 1
        assert (await quantities(tx, "products"))[0]["low"]
