from uuid import UUID

import pytest
from sqlalchemy import select

from contracts.inventory import ProductChanged, ReservationChanged, StockReceived
from contracts.orders import Policy
from inventory.commands.products import put_location, put_product
from inventory.commands.reservations import reserve_orders
from inventory.commands.shipping import ship_units
from inventory.commands.stock import adjust_stock, receive_goods
from inventory.domain.products import (
    CurrencyInUse,
    Location,
    UnknownLocation,
    UnknownProduct,
)
from inventory.schema import locations, receipt_lines
from inventory.store import products, stock
from tests.inventory.factories import (
    a_delivery,
    a_parcel,
    a_product,
    an_adjustment,
    an_order,
    stocked,
)
from tests.inventory.figures import assert_books_agree, quantities


async def test_a_new_product_is_announced(tx, published):
    _, new = await put_product(tx, a_product())

    (announced,) = await published()
    assert new
    assert announced.subject == "SOAP"
    assert isinstance(announced.data, ProductChanged)
    assert (announced.data.version, announced.data.previous_unit_cost) == (1, None)


async def test_a_changed_cost_is_announced_with_what_it_revalues(tx, published):
    await stocked(tx, ("SOAP", 5))

    known, new = await put_product(tx, a_product(unit_cost=800))

    changed = (await published())[-1].data
    assert not new
    assert known.version == changed.version == 2
    assert (changed.previous_unit_cost, changed.unit_cost, changed.on_hand) == (
        700,
        800,
        5,
    )


async def test_a_product_put_again_as_it_is_changes_nothing(tx, published):
    await put_product(tx, a_product())
    await put_product(tx, a_product())

    assert len(await published()) == 1
    assert (await products.hold(tx, ["SOAP"]))["SOAP"].version == 1


async def test_a_product_keeps_its_currency_while_it_is_on_hand(tx):
    await stocked(tx, ("SOAP", 5))

    with pytest.raises(CurrencyInUse, match="5 units"):
        await put_product(tx, a_product(currency="USD"))


async def test_a_product_keeps_its_currency_once_it_was_shipped(tx):
    await stocked(tx, ("SOAP", 1))
    order = an_order(("SOAP", 1))
    await reserve_orders(tx, [order])
    await ship_units(tx, a_parcel(order.order_id), actor="staff")

    with pytest.raises(CurrencyInUse, match="shipped are valued in EUR"):
        await put_product(tx, a_product(currency="USD"))


async def test_a_product_that_never_left_may_be_valued_in_another_currency(tx):
    await stocked(tx, ("SOAP", 1))
    await adjust_stock(tx, an_adjustment(-1), actor="staff")

    known, _ = await put_product(tx, a_product(currency="USD"))

    assert known.product.currency == "USD"


async def test_a_location_is_described_anew(tx):
    first = Location(code="CORK", name="Cork", priority=1)
    assert await put_location(tx, first)

    assert not await put_location(tx, Location(code="CORK", name="Cork", priority=2))

    found = (await tx.execute(select(locations.c.priority))).scalar_one()
    assert found == 2


async def test_goods_that_come_in_are_on_hand_and_announced(tx, published):
    await stocked(tx, ("SOAP", 1), ("RUM", 2))
    delivery = a_delivery(("SOAP", 4), ("RUM", 1), ("SOAP", 5), unit_cost=690)

    await receive_goods(tx, delivery, actor="staff")

    on_hand = {
        shelf.sku: shelf.on_hand for shelf in await stock.get(tx, ["SOAP", "RUM"])
    }
    assert on_hand == {"SOAP": 10, "RUM": 3}
    announced = (await published())[-1]
    assert announced.subject == str(delivery.id)
    assert isinstance(announced.data, StockReceived)
    assert [
        (got.quantity, got.unit_cost, got.standard_cost) for got in announced.data.lines
    ] == [
        (4, 690, 700),
        (1, 690, 700),
        (5, 690, 700),
    ]
    await assert_books_agree(tx)


async def test_movements_say_what_came_in_by_whom_and_why(tx):
    await stocked(tx, ("SOAP", 1))
    delivery = a_delivery(("SOAP", 4), reference="PO-7")

    await receive_goods(tx, delivery, actor="staff")

    (movement,) = await quantities(tx, "movements", reference="PO-7")
    assert movement["on_hand_change"] == 4
    assert (movement["kind"], movement["actor"]) == ("receipt", "staff")


async def test_goods_for_an_unknown_location_are_refused(tx):
    await stocked(tx, ("SOAP", 1))

    with pytest.raises(UnknownLocation) as refused:
        await receive_goods(
            tx, a_delivery(("SOAP", 4), location="NOWHERE"), actor="staff"
        )

    assert refused.value.faults[0].pointer == "/location"


async def test_unknown_goods_are_refused_and_nothing_is_stored(tx):
    await stocked(tx, ("SOAP", 1))

    with pytest.raises(UnknownProduct):
        await receive_goods(tx, a_delivery(("SOAP", 4), ("RUM", 1)), actor="staff")

    assert len((await tx.execute(select(receipt_lines))).all()) == 1
    await assert_books_agree(tx)


def backorder(*wanted: tuple[str, int], **order):
    return an_order(*wanted, policy=Policy.ALLOW_BACKORDER, **order)


async def test_goods_that_come_in_go_to_who_waits_longest(tx, published):
    await stocked(tx, ("SOAP", 1))
    late, early = backorder(("SOAP", 5), placed_after_s=9), backorder(("SOAP", 5))
    await reserve_orders(tx, [late, early])

    await receive_goods(tx, a_delivery(("SOAP", 6)), actor="staff")

    lines = await quantities(tx, "reservation_lines")
    assert {
        row["order_id"]: (row["reserved"], row["backordered"]) for row in lines
    } == {early.order_id: (5, 0), late.order_id: (2, 3)}
    snapshots = [a for a in await published() if isinstance(a.data, ReservationChanged)]
    assert [(a.subject, a.data.version) for a in snapshots[-2:]] == [
        (str(early.order_id), 2),
        (str(late.order_id), 2),
    ]
    await assert_books_agree(tx)


async def test_an_order_that_got_nothing_has_no_new_version(tx, published):
    await stocked(tx, ("SOAP", 1))
    early = backorder(("SOAP", 5), order_id=UUID(int=2))
    late = backorder(("SOAP", 5), order_id=UUID(int=1), placed_after_s=9)
    await reserve_orders(tx, [early, late])

    await receive_goods(tx, a_delivery(("SOAP", 1)), actor="staff")

    assert (await published())[-1].subject == str(early.order_id)
    versions = {
        row["order_id"]: row["version"] for row in await quantities(tx, "reservations")
    }
    assert versions == {early.order_id: 2, late.order_id: 1}


async def test_a_line_is_filled_again_at_the_location_it_has_units_at(tx):
    await stocked(tx, ("SOAP", 1))
    order = backorder(("SOAP", 5))
    await reserve_orders(tx, [order])

    for quantity in (1, 2, 3):
        await receive_goods(tx, a_delivery(("SOAP", quantity)), actor="staff")

    (allocation,) = await quantities(tx, "allocations")
    (shelf,) = await stock.get(tx, ["SOAP"])
    assert allocation["reserved"] == 5
    assert (shelf.on_hand, shelf.available) == (7, 2)
    await assert_books_agree(tx)


async def test_only_the_goods_that_came_in_are_given_out(tx):
    await stocked(tx, ("SOAP", 1), ("RUM", 1))
    order = backorder(("SOAP", 2), ("RUM", 2))
    await reserve_orders(tx, [order])

    await receive_goods(tx, a_delivery(("RUM", 9)), actor="staff")

    lines = await quantities(tx, "reservation_lines")
    waiting = {row["sku"]: row["backordered"] for row in lines}
    assert waiting == {"SOAP": 1, "RUM": 0}
