import pytest

from contracts.inventory import ReservationChanged, StockAdjusted
from contracts.orders import Policy
from inventory.commands.holds import hold_units
from inventory.commands.reservations import reserve_orders
from inventory.commands.stock import adjust_stock
from inventory.domain.products import UnknownLocation, UnknownProduct
from inventory.domain.stock import BelowReserved
from tests.inventory.factories import a_hold, an_adjustment, an_order, stocked
from tests.inventory.figures import assert_books_agree, quantities


async def test_what_was_counted_is_what_there_is(tx, published):
    await stocked(tx, ("SOAP", 5))
    adjustment = an_adjustment(-3, reason="broken")

    shelf = await adjust_stock(tx, adjustment, actor="staff")

    assert (shelf.on_hand, shelf.reserved) == (2, 0)
    announced = (await published())[-1]
    assert announced.subject == str(adjustment.id)
    assert isinstance(announced.data, StockAdjusted)
    told = announced.data
    assert (told.delta, told.reason, told.standard_cost) == (-3, "broken", 700)
    await assert_books_agree(tx)


async def test_an_adjustment_is_kept_with_who_made_it(tx):
    await stocked(tx, ("SOAP", 5))
    adjustment = an_adjustment(2)

    await adjust_stock(tx, adjustment, actor="staff")

    (kept,) = await quantities(tx, "adjustments")
    assert (kept["id"], kept["delta"], kept["actor"]) == (adjustment.id, 2, "staff")
    (moved,) = await quantities(tx, "movements", reference=str(adjustment.id))
    assert (moved["kind"], moved["on_hand_change"]) == ("adjustment", 2)


async def test_units_that_were_found_go_to_who_waits(tx, published):
    await stocked(tx, ("SOAP", 1))
    order = an_order(("SOAP", 3), policy=Policy.ALLOW_BACKORDER)
    await reserve_orders(tx, [order])

    shelf = await adjust_stock(tx, an_adjustment(4), actor="staff")

    assert (shelf.on_hand, shelf.reserved) == (5, 3)
    assert isinstance((await published())[-1].data, ReservationChanged)
    await assert_books_agree(tx)


async def test_what_is_reserved_is_not_adjusted_away(tx, published):
    await stocked(tx, ("SOAP", 5))
    first, last = an_order(("SOAP", 1)), an_order(("SOAP", 2), placed_after_s=1)
    await reserve_orders(tx, [first, last])
    await hold_units(tx, a_hold(("SOAP", 1)), actor="checkout")
    announced = await published()

    with pytest.raises(BelowReserved, match="at most 1 can be") as refused:
        await adjust_stock(tx, an_adjustment(-2), actor="staff")

    assert refused.value.figures == {
        "on_hand": 5,
        "reserved": 4,
        "available": 1,
        "held": 1,
        "orders": [
            {"order_id": last.order_id, "reserved": 2},
            {"order_id": first.order_id, "reserved": 1},
        ],
    }
    assert await published() == announced
    await adjust_stock(tx, an_adjustment(-1), actor="staff")
    await assert_books_agree(tx)


async def test_only_the_orders_that_are_served_from_there_are_named(tx):
    await stocked(tx, ("SOAP", 5), ("RUM", 5))
    await stocked(tx, ("SOAP", 9), location="DUBLIN", priority=2)
    order = an_order(("SOAP", 2))
    await reserve_orders(tx, [order, an_order(("SOAP", 6)), an_order(("RUM", 1))])

    with pytest.raises(BelowReserved) as refused:
        await adjust_stock(tx, an_adjustment(-4), actor="staff")

    named = refused.value.figures["orders"]
    assert named == [{"order_id": order.order_id, "reserved": 2}]


async def test_what_was_never_there_can_be_found_but_not_lost(tx):
    await stocked(tx, ("SOAP", 5))
    await stocked(tx, location="DUBLIN")

    with pytest.raises(BelowReserved):
        await adjust_stock(tx, an_adjustment(-1, location="DUBLIN"), actor="staff")
    shelf = await adjust_stock(tx, an_adjustment(2, location="DUBLIN"), actor="staff")

    assert shelf.on_hand == 2


@pytest.mark.parametrize(
    ("where", "refusal", "pointer"),
    [
        ({"sku": "RUM"}, UnknownProduct, "/sku"),
        ({"location": "MOON"}, UnknownLocation, "/location"),
    ],
)
async def test_what_nobody_described_cannot_be_adjusted(tx, where, refusal, pointer):
    await stocked(tx, ("SOAP", 5))

    with pytest.raises(refusal) as refused:
        await adjust_stock(tx, an_adjustment(1, **where), actor="staff")

    assert [fault.pointer for fault in refused.value.faults] == [pointer]
