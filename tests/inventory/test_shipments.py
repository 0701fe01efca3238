from uuid import uuid4

import pytest

from contracts.inventory import MovedLine, Shipment
from inventory.commands.products import put_product
from inventory.commands.shipping import ship_units
from inventory.commands.stock import receive_goods
from inventory.domain.history import MOST_SHIPMENTS
from inventory.domain.reservations import ReservationNotFound
from inventory.domain.shipments import (
    MoreThanReserved,
    NothingReserved,
    TooManyShipments,
    UnknownLine,
)
from inventory.handlers.orders import follow_orders
from inventory.store import stock
from tests.inventory.factories import (
    NOON,
    a_delivery,
    a_parcel,
    a_product,
    an_order,
    cancelled,
    placed,
    stocked,
)
from tests.inventory.figures import assert_books_agree, quantities


async def test_what_is_reserved_leaves_and_is_told(tx, published):
    await stocked(tx, ("SOAP", 5), ("RUM", 5))
    order = an_order(("SOAP", 2), ("RUM", 3))
    await follow_orders(tx, [placed(order)])

    sent = await ship_units(tx, a_parcel(order.order_id), actor="staff")

    told = (await published())[-1].data
    assert (told.version, told.cause) == (2, "shipped")
    assert [(n.reserved, n.shipped, n.cost_shipped) for n in told.lines] == [
        (0, 2, 1400),
        (0, 3, 2100),
    ]
    assert told.shipments == (
        Shipment(
            shipment_id=sent.shipment_id,
            carrier="An Post",
            tracking="CE1",
            lines=(
                MovedLine(line=1, quantity=2, cost=1400),
                MovedLine(line=2, quantity=3, cost=2100),
            ),
            shipped_at=NOON,
        ),
    )
    await assert_books_agree(tx)


async def test_what_leaves_is_worth_so_much_in_its_own_currency(tx, published):
    await put_product(tx, a_product("RUM", currency="USD"))
    await stocked(tx, ("SOAP", 5))
    await receive_goods(tx, a_delivery(("RUM", 5)), actor="staff")
    order = an_order(("SOAP", 2), ("RUM", 3))
    await follow_orders(tx, [placed(order)])

    await ship_units(tx, a_parcel(order.order_id, {2: 3}), actor="staff")

    told = (await published())[-1].data
    assert [line.cost_currency for line in told.lines] == [None, "USD"]


async def test_what_left_is_neither_on_hand_nor_kept(tx):
    await stocked(tx, ("SOAP", 5))
    order = an_order(("SOAP", 4))
    await follow_orders(tx, [placed(order)])

    await ship_units(tx, a_parcel(order.order_id, {1: 3}), actor="staff")

    (shelf,) = await stock.get(tx, ["SOAP"])
    assert (shelf.on_hand, shelf.reserved) == (2, 1)
    *_, left = await quantities(tx, "movements", reference=str(order.order_id))
    assert (left["kind"], left["on_hand_change"], left["reserved_change"]) == (
        "shipment",
        -3,
        -3,
    )
    assert left["actor"] == "staff"
    await assert_books_agree(tx)


async def test_an_order_may_leave_in_parts(tx, published):
    await stocked(tx, ("SOAP", 5), ("RUM", 5))
    order = an_order(("SOAP", 4), ("RUM", 1))
    await follow_orders(tx, [placed(order)])

    for units in ({1: 1}, {2: 1, 1: 2}, None):
        await ship_units(tx, a_parcel(order.order_id, units), actor="staff")

    told = (await published())[-1].data
    assert [[(n.line, n.quantity) for n in s.lines] for s in told.shipments] == [
        [(1, 1)],
        [(1, 2), (2, 1)],
        [(1, 1)],
    ]
    (row,) = await quantities(tx, "reservations")
    assert (row["version"], row["state"]) == (4, "closed")
    await assert_books_agree(tx)


async def test_units_leave_from_the_preferred_location_first(tx):
    await stocked(tx, ("SOAP", 2), location="SECOND", priority=2)
    await stocked(tx, ("SOAP", 2), location="FIRST", priority=1)
    order = an_order(("SOAP", 4))
    await follow_orders(tx, [placed(order)])

    await ship_units(tx, a_parcel(order.order_id, {1: 3}), actor="staff")

    kept = await quantities(tx, "allocations")
    assert [(k["location"], k["reserved"], k["shipped"]) for k in kept] == [
        ("FIRST", 0, 2),
        ("SECOND", 1, 1),
    ]
    await assert_books_agree(tx)


async def test_units_cost_what_they_are_worth_when_they_leave(tx, published):
    await stocked(tx, ("SOAP", 5))
    order = an_order(("SOAP", 4))
    await follow_orders(tx, [placed(order)])

    await ship_units(tx, a_parcel(order.order_id, {1: 1}), actor="staff")
    await put_product(tx, a_product(unit_cost=800))
    await ship_units(tx, a_parcel(order.order_id, {1: 2}), actor="staff")

    told = (await published())[-1].data
    assert [s.lines[0].cost for s in told.shipments] == [700, 1600]
    assert told.lines[0].cost_shipped == 2300


async def test_more_than_is_reserved_is_refused_with_the_figures(tx):
    await stocked(tx, ("SOAP", 5), ("RUM", 5))
    order = an_order(("SOAP", 4), ("RUM", 2))
    await follow_orders(tx, [placed(order)])
    await follow_orders(tx, [cancelled(order.order_id, {1: 1})])

    with pytest.raises(MoreThanReserved) as refused:
        await ship_units(tx, a_parcel(order.order_id, {1: 4, 2: 2}), actor="staff")

    assert refused.value.figures == {"lines": [{"line": 1, "asked": 4, "reserved": 3}]}


async def test_nothing_is_not_shipped(tx):
    await stocked(tx, ("SOAP", 5))
    order = an_order(("SOAP", 9))
    await follow_orders(tx, [placed(order)])

    with pytest.raises(NothingReserved):
        await ship_units(tx, a_parcel(order.order_id), actor="staff")


async def test_a_line_that_the_order_does_not_have_is_refused_with_where(tx):
    await stocked(tx, ("SOAP", 5))
    order = an_order(("SOAP", 4))
    await follow_orders(tx, [placed(order)])

    with pytest.raises(UnknownLine) as refused:
        await ship_units(tx, a_parcel(order.order_id, {1: 1, 2: 1}), actor="staff")

    assert [fault.pointer for fault in refused.value.faults] == ["/lines/1/line"]


async def test_an_order_that_has_not_come_cannot_be_shipped(tx):
    overtaken = uuid4()
    await follow_orders(tx, [cancelled(overtaken, {1: 1})])

    for order_id in (uuid4(), overtaken):
        with pytest.raises(ReservationNotFound):
            await ship_units(tx, a_parcel(order_id), actor="staff")


async def test_an_order_leaves_in_so_many_parts_and_no_more(tx):
    await stocked(tx, ("SOAP", 99))
    order = an_order(("SOAP", 99))
    await follow_orders(tx, [placed(order)])
    for _ in range(MOST_SHIPMENTS):
        await ship_units(tx, a_parcel(order.order_id, {1: 1}), actor="staff")

    with pytest.raises(TooManyShipments):
        await ship_units(tx, a_parcel(order.order_id, {1: 1}), actor="staff")

    assert len(await quantities(tx, "shipments")) == MOST_SHIPMENTS
    await assert_books_agree(tx)
