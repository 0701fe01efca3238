from uuid import uuid4

import pytest
from msgspec.structs import replace

from contracts.inventory import Condition, ReturnedLine, StockAdjusted
from contracts.orders import Policy
from inventory.commands.products import put_product
from inventory.commands.returns import receive_return
from inventory.commands.shipping import ship_units
from inventory.domain.history import MOST_RETURN_RECEIPTS
from inventory.domain.products import UnknownLocation
from inventory.domain.reservations import Reservation, ReservationNotFound
from inventory.domain.returns import (
    MoreThanShipped,
    TooManyReturnReceipts,
    take_back,
)
from inventory.domain.shipments import UnknownLine
from inventory.handlers.orders import follow_orders
from inventory.store import stock
from tests.inventory.factories import (
    a_known_product,
    a_parcel,
    a_product,
    a_return,
    an_order,
    placed,
    stocked,
)
from tests.inventory.figures import assert_books_agree, quantities

GOOD, BROKEN = Condition.RESELLABLE, Condition.DAMAGED


@pytest.fixture
async def shipped(tx) -> Reservation:
    """An order whose four pieces of soap and two bottles of rum have left."""
    await stocked(tx, ("SOAP", 4), ("RUM", 2))
    order = an_order(("SOAP", 4), ("RUM", 2))
    await follow_orders(tx, [placed(order)])
    await ship_units(tx, a_parcel(order.order_id), actor="staff")
    return order


async def on_hand(tx) -> dict[str, int]:
    return {s.sku: s.on_hand for s in await stock.get(tx, ["SOAP", "RUM"])}


async def test_what_can_be_sold_again_is_on_hand_again(tx, published, shipped):
    back = a_return(shipped.order_id, (1, 3, GOOD))

    await receive_return(tx, back, actor="staff")

    told = (await published())[-1].data
    assert (told.version, told.cause) == (3, "returned")
    assert (told.lines[0].returned, told.lines[0].cost_returned) == (3, 2100)
    assert told.lines[0].cost_currency == "EUR"
    (receipt,) = told.returns
    assert (receipt.receipt_id, receipt.return_id) == (back.receipt_id, back.return_id)
    assert receipt.lines == (
        ReturnedLine(line=1, quantity=3, cost=2100, condition=GOOD),
    )
    assert await on_hand(tx) == {"SOAP": 3, "RUM": 0}
    await assert_books_agree(tx)


async def test_what_is_damaged_comes_in_and_is_scrapped(tx, published, shipped):
    await receive_return(tx, a_return(shipped.order_id, (2, 2, BROKEN)), actor="staff")

    *_, came, went = await quantities(tx, "movements", reference=str(shipped.order_id))
    assert [(m["kind"], m["on_hand_change"]) for m in (came, went)] == [
        ("return", 2),
        ("scrap", -2),
    ]
    assert await on_hand(tx) == {"SOAP": 0, "RUM": 0}
    told = [a.data for a in await published()]
    assert told[-1].returns[0].lines[0].condition is BROKEN
    assert not any(isinstance(data, StockAdjusted) for data in told)
    await assert_books_agree(tx)


async def test_units_of_one_line_may_come_back_in_both_conditions(
    tx, published, shipped
):
    back = a_return(shipped.order_id, (1, 1, GOOD), (1, 2, BROKEN), (1, 1, GOOD))

    await receive_return(tx, back, actor="staff")

    (receipt,) = (await published())[-1].data.returns
    assert [(n.condition, n.quantity) for n in receipt.lines] == [
        (BROKEN, 2),
        (GOOD, 2),
    ]
    assert await on_hand(tx) == {"SOAP": 2, "RUM": 0}
    await assert_books_agree(tx)


async def test_goods_may_come_back_elsewhere_than_they_left(tx, shipped):
    await stocked(tx, ("TEA", 1), location="DUBLIN", priority=9)
    back = a_return(shipped.order_id, (1, 1, GOOD), location="DUBLIN")

    await receive_return(tx, back, actor="staff")

    shelves = {s.location: s.on_hand for s in await stock.get(tx, ["SOAP"])}
    assert shelves == {"CORK": 0, "DUBLIN": 1}
    await assert_books_agree(tx)


async def test_a_return_may_come_in_parts(tx, published, shipped):
    return_id = uuid4()
    for units in ((1, 1, GOOD), (2, 1, BROKEN)):
        back = a_return(shipped.order_id, units, return_id=return_id)
        await receive_return(tx, back, actor="staff")

    told = (await published())[-1].data.returns
    assert [receipt.return_id for receipt in told] == [return_id, return_id]
    assert [receipt.lines[0].line for receipt in told] == [1, 2]


async def test_what_comes_back_goes_to_who_waits(tx, published, shipped):
    waiting = an_order(("SOAP", 3), policy=Policy.ALLOW_BACKORDER)
    await follow_orders(tx, [placed(waiting)])
    back = a_return(shipped.order_id, (1, 2, GOOD), (1, 2, BROKEN))

    await receive_return(tx, back, actor="staff")

    filled = (await published())[-1]
    assert (filled.subject, filled.data.cause) == (
        str(waiting.order_id),
        "backorder_filled",
    )
    assert (filled.data.lines[0].reserved, filled.data.lines[0].backordered) == (2, 1)
    await assert_books_agree(tx)


async def test_units_are_worth_what_they_cost_when_they_come_back(
    tx, published, shipped
):
    await put_product(tx, a_product(unit_cost=800))

    await receive_return(tx, a_return(shipped.order_id, (1, 2, GOOD)), actor="staff")

    line = (await published())[-1].data.lines[0]
    assert (line.cost_shipped, line.cost_returned) == (2800, 1600)


def test_goods_come_back_beside_a_line_of_which_nobody_knows_what_it_is():
    order = an_order(("SOAP", 2), ("NOTHING", 1), policy=Policy.ALLOW_PARTIAL)
    soap, nothing = order.lines
    left = replace(order, lines=(replace(soap, shipped=2), nothing))

    back = a_return(order.order_id, (1, 1, GOOD))
    returned = take_back(left, back, {"SOAP": a_known_product()})

    came, never_left = returned.reservation.lines
    assert (came.returned, came.cost_returned) == (1, 700)
    assert never_left == nothing


async def test_more_than_was_shipped_is_refused_with_the_figures(tx, shipped):
    await receive_return(tx, a_return(shipped.order_id, (1, 1, GOOD)), actor="staff")
    back = a_return(shipped.order_id, (1, 2, GOOD), (1, 2, BROKEN), (2, 2, GOOD))

    with pytest.raises(MoreThanShipped) as refused:
        await receive_return(tx, back, actor="staff")

    assert refused.value.figures == {
        "lines": [{"line": 1, "asked": 4, "shipped": 4, "returned": 1}]
    }


async def test_what_cannot_come_back_is_refused(tx, shipped):
    elsewhere = a_return(shipped.order_id, (1, 1, GOOD), location="MOON")
    unknown = a_return(uuid4(), (1, 1, GOOD))
    no_line = a_return(shipped.order_id, (9, 1, GOOD))

    with pytest.raises(UnknownLocation):
        await receive_return(tx, elsewhere, actor="staff")
    with pytest.raises(ReservationNotFound):
        await receive_return(tx, unknown, actor="staff")
    with pytest.raises(UnknownLine):
        await receive_return(tx, no_line, actor="staff")


async def test_an_order_comes_back_in_so_many_parts_and_no_more(tx):
    await stocked(tx, ("SOAP", 99))
    order = an_order(("SOAP", 99))
    await follow_orders(tx, [placed(order)])
    await ship_units(tx, a_parcel(order.order_id), actor="staff")
    for _ in range(MOST_RETURN_RECEIPTS):
        await receive_return(tx, a_return(order.order_id, (1, 1, GOOD)), actor="staff")

    with pytest.raises(TooManyReturnReceipts):
        await receive_return(tx, a_return(order.order_id, (1, 1, GOOD)), actor="staff")

    await assert_books_agree(tx)
