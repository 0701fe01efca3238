from datetime import timedelta

import pytest

from contracts.inventory import ReservationChanged
from contracts.orders import Policy
from inventory.commands.holds import expire_holds, get_hold, hold_units, release_hold
from inventory.commands.reservations import reserve_orders
from inventory.commands.stock import receive_goods
from inventory.domain.holds import (
    HoldConsumed,
    HoldNotFound,
    HoldStatus,
    NotAvailable,
)
from inventory.handlers import orders as handlers
from inventory.store import stock
from tests.inventory.factories import (
    NOON,
    a_delivery,
    a_hold,
    an_order,
    placed,
    stocked,
)
from tests.inventory.figures import assert_books_agree, quantities


async def free(tx, sku="SOAP"):
    return (await stock.get_available(tx, [sku])).get(sku, 0)


async def status_of(tx, hold):
    return (await get_hold(tx, hold.id, customer_id=None)).status


async def reserved_of(tx, order):
    rows = await quantities(tx, "reservation_lines", order_id=order.order_id)
    return [row["reserved"] for row in rows]


async def test_a_hold_keeps_units_from_orders(tx):
    await stocked(tx, ("SOAP", 5), ("RUM", 1))
    await hold_units(tx, a_hold(("SOAP", 4), ("RUM", 1)), actor="checkout")
    order = an_order(("SOAP", 2))

    await reserve_orders(tx, [order])

    assert await free(tx) == 1
    assert await reserved_of(tx, order) == [0]
    await assert_books_agree(tx)


async def test_a_hold_that_cannot_keep_it_all_keeps_nothing(tx):
    await stocked(tx, ("SOAP", 5))

    with pytest.raises(NotAvailable):
        await hold_units(tx, a_hold(("SOAP", 4), ("RUM", 1)), actor="checkout")

    assert await free(tx) == 5
    assert await quantities(tx, "holds") == []


async def test_an_order_takes_its_hold_over_when_it_is_announced(tx):
    await stocked(tx, ("SOAP", 5))
    hold = await hold_units(tx, a_hold(("SOAP", 5)), actor="checkout")
    order = an_order(("SOAP", 3), hold_id=hold.id)

    await handlers.follow_orders(tx, [placed(order)])

    assert await reserved_of(tx, order) == [3]
    assert await free(tx) == 2
    (row,) = await quantities(tx, "holds")
    assert (row["status"], row["order_id"]) == ("consumed", order.order_id)
    await assert_books_agree(tx)


async def test_the_movements_tell_the_story_of_a_hold(tx):
    await stocked(tx, ("SOAP", 5))
    hold = await hold_units(tx, a_hold(("SOAP", 5)), actor="checkout")
    await reserve_orders(tx, [an_order(("SOAP", 3), hold_id=hold.id)])

    told = await quantities(tx, "movements", reference=str(hold.id))

    assert [(m["kind"], m["reserved_change"], m["actor"]) for m in told] == [
        ("hold", 5, "checkout"),
        ("hold_ended", -5, "orders"),
    ]


async def test_an_order_heard_of_late_takes_its_hold_over_if_it_was_in_time(tx):
    await stocked(tx, ("SOAP", 2))
    hold = await hold_units(tx, a_hold(("SOAP", 2), expires_in=9), actor="checkout")
    late = an_order(("SOAP", 1), hold_id=hold.id, placed_after_s=10)
    in_time = an_order(("SOAP", 2), hold_id=hold.id, placed_after_s=9)

    await reserve_orders(tx, [late])
    await reserve_orders(tx, [in_time])

    assert await reserved_of(tx, late) == [0]
    assert await reserved_of(tx, in_time) == [2]


@pytest.mark.parametrize(("customer", "reserved"), [("c-1", [2]), ("c-2", [0])])
async def test_a_customers_hold_is_for_no_other(tx, customer, reserved):
    await stocked(tx, ("SOAP", 2))
    wanted = a_hold(("SOAP", 2), customer_id="c-1")
    hold = await hold_units(tx, wanted, actor="checkout")
    order = an_order(("SOAP", 2), hold_id=hold.id, customer_id=customer)

    await handlers.follow_orders(tx, [placed(order)])

    assert await reserved_of(tx, order) == reserved
    await assert_books_agree(tx)


@pytest.mark.parametrize("ended", ["released", "expired", "consumed", "unknown"])
async def test_a_hold_that_has_ended_is_as_none(tx, ended):
    await stocked(tx, ("SOAP", 5))
    hold = a_hold(("SOAP", 4))
    if ended != "unknown":
        await hold_units(tx, hold, actor="checkout")
    if ended == "released":
        await release_hold(tx, hold.id, customer_id=None, actor="checkout")
    if ended == "expired":
        await expire_holds(tx, NOON + timedelta(hours=1), most=9)
    if ended == "consumed":
        await reserve_orders(tx, [an_order(("SOAP", 1), hold_id=hold.id)])
    order = an_order(("SOAP", 2), hold_id=hold.id)

    await reserve_orders(tx, [order])

    assert await reserved_of(tx, order) == [2]
    await assert_books_agree(tx)


async def test_what_an_order_leaves_over_fills_backorders(tx, published):
    await stocked(tx, ("SOAP", 5))
    hold = await hold_units(tx, a_hold(("SOAP", 5)), actor="checkout")
    waiting = an_order(("SOAP", 3), policy=Policy.ALLOW_BACKORDER)
    await reserve_orders(tx, [waiting])

    await reserve_orders(tx, [an_order(("SOAP", 4), hold_id=hold.id)])

    assert await reserved_of(tx, waiting) == [1]
    assert (await published())[-1].subject == str(waiting.order_id)
    await assert_books_agree(tx)


async def test_an_order_that_gets_nothing_gives_its_hold_to_who_waits(tx):
    await stocked(tx, ("SOAP", 5))
    hold = await hold_units(tx, a_hold(("SOAP", 5)), actor="checkout")
    waiting = an_order(("SOAP", 3), policy=Policy.ALLOW_BACKORDER)
    await reserve_orders(tx, [waiting])

    await reserve_orders(tx, [an_order(("SOAP", 9), hold_id=hold.id)])

    assert await reserved_of(tx, waiting) == [3]
    await assert_books_agree(tx)


async def test_products_of_the_hold_that_the_order_leaves_out_are_freed(tx):
    await stocked(tx, ("SOAP", 5), ("RUM", 1))
    hold = await hold_units(tx, a_hold(("SOAP", 5), ("RUM", 1)), actor="checkout")

    await reserve_orders(tx, [an_order(("SOAP", 5), hold_id=hold.id)])

    assert await free(tx, "RUM") == 1
    await assert_books_agree(tx)


async def test_an_order_announced_again_leaves_a_later_hold_alone(tx):
    await stocked(tx, ("SOAP", 5))
    order = an_order(("SOAP", 2))
    await reserve_orders(tx, [order])
    hold = await hold_units(tx, a_hold(("SOAP", 2)), actor="checkout")

    await reserve_orders(tx, [an_order(("SOAP", 2), order_id=order.order_id)])

    assert await status_of(tx, hold) is HoldStatus.HELD


async def test_a_released_hold_fills_backorders_and_is_released_once(tx, published):
    await stocked(tx, ("SOAP", 5))
    hold = await hold_units(tx, a_hold(("SOAP", 5)), actor="checkout")
    waiting = an_order(("SOAP", 3), policy=Policy.ALLOW_BACKORDER)
    await reserve_orders(tx, [waiting])

    for _ in range(2):
        await release_hold(tx, hold.id, customer_id=None, actor="checkout")

    assert await status_of(tx, hold) is HoldStatus.RELEASED
    assert await reserved_of(tx, waiting) == [3]
    announced = [a.data for a in await published()]
    assert sum(isinstance(e, ReservationChanged) for e in announced) == 2
    await assert_books_agree(tx)


async def test_a_hold_that_an_order_took_over_cannot_be_released(tx):
    await stocked(tx, ("SOAP", 5))
    hold = await hold_units(tx, a_hold(("SOAP", 5)), actor="checkout")
    await reserve_orders(tx, [an_order(("SOAP", 5), hold_id=hold.id)])

    with pytest.raises(HoldConsumed):
        await release_hold(tx, hold.id, customer_id=None, actor="checkout")


async def test_another_customers_hold_is_not_found(tx):
    await stocked(tx, ("SOAP", 5))
    wanted = a_hold(("SOAP", 5), customer_id="c-1")
    hold = await hold_units(tx, wanted, actor="checkout")

    with pytest.raises(HoldNotFound):
        await get_hold(tx, hold.id, customer_id="c-2")
    with pytest.raises(HoldNotFound):
        await release_hold(tx, hold.id, customer_id="c-2", actor="checkout")
    assert await get_hold(tx, hold.id, customer_id="c-1") == hold


async def test_holds_that_ran_out_are_ended_together_and_fill_backorders(tx):
    await stocked(tx, ("SOAP", 5), ("RUM", 5))
    for sku in ("SOAP", "RUM"):
        await hold_units(tx, a_hold((sku, 5), expires_in=9), actor="checkout")
    waiting = an_order(("SOAP", 3), ("RUM", 4), policy=Policy.ALLOW_BACKORDER)
    await reserve_orders(tx, [waiting])

    ended = await expire_holds(tx, NOON + timedelta(seconds=10), most=9)

    assert ended == 2
    assert await reserved_of(tx, waiting) == [3, 4]
    await assert_books_agree(tx)


async def test_a_hold_is_not_ended_before_its_time(tx):
    await stocked(tx, ("SOAP", 5))
    hold = await hold_units(tx, a_hold(("SOAP", 5), expires_in=9), actor="checkout")

    assert await expire_holds(tx, NOON + timedelta(seconds=9), most=9) == 0

    assert await status_of(tx, hold) is HoldStatus.HELD


async def test_a_hold_across_locations_is_kept_at_each(tx):
    await stocked(tx, ("SOAP", 2), location="CORK")
    await stocked(tx, ("SOAP", 2), location="DUBLIN", priority=2)

    hold = await hold_units(tx, a_hold(("SOAP", 3)), actor="checkout")

    kept = [(units.location, units.reserved) for units in hold.units]
    assert kept == [("CORK", 2), ("DUBLIN", 1)]
    await receive_goods(tx, a_delivery(("SOAP", 1)), actor="staff")
    await assert_books_agree(tx)
