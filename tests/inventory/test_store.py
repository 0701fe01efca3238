import pytest

from chassis.pages import Window
from contracts.orders import Policy
from inventory.commands.products import put_product
from inventory.commands.reservations import reserve_orders
from inventory.domain.reservations import State
from inventory.domain.stock import Movement, MovementKind
from inventory.handlers.orders import follow_orders
from inventory.store import locks, products, reservations, stock, waiting
from tests.inventory.factories import a_product, an_order, cancelled, stocked
from tests.inventory.figures import quantities

EVERYTHING = Window(limit=200, after=None)


async def test_what_has_no_stock_row_cannot_move(tx):
    await stocked(tx, ("SOAP", 1))
    movement = Movement(
        location="NOWHERE",
        sku="SOAP",
        on_hand_change=1,
        kind=MovementKind.RECEIPT,
        reference="PO-7",
    )

    with pytest.raises(LookupError):
        await stock.move(tx, [movement], actor="staff")


async def test_stock_is_seen_at_the_preferred_location_first(tx):
    await stocked(tx, ("SOAP", 1), location="SECOND", priority=2)
    await stocked(tx, ("SOAP", 1), location="FIRST", priority=1)

    shelves = await stock.get(tx, ["SOAP"])

    assert [shelf.location for shelf in shelves] == ["FIRST", "SECOND"]


async def test_a_reservation_that_is_not_there_yet_is_held_as_awaited(tx):
    order = an_order(("SOAP", 1))

    _, held = await locks.hold(tx, [order.order_id, order.order_id])

    assert held[order.order_id].state is State.AWAITED
    assert await reservations.get(tx, [order.order_id]) == []


async def test_a_reservation_is_found_as_it_was_stored(tx):
    await stocked(tx, ("SOAP", 1))
    order = an_order(("SOAP", 3), ("RUM", 1), policy=Policy.ALLOW_BACKORDER)

    await reserve_orders(tx, [order])

    (found,) = await reservations.get(tx, [order.order_id])
    assert (found.version, found.state, found.policy) == (1, State.OPEN, order.policy)
    assert [(n.reserved, n.backordered, n.short) for n in found.lines] == [
        (1, 2, 0),
        (0, 0, 1),
    ]
    assert found.placed_at == order.placed_at


async def test_an_order_is_stored_as_it_turns_out_whatever_was_there_of_it(tx):
    await stocked(tx, ("SOAP", 4))
    served, late, waited_for = (an_order(("SOAP", 1)) for _ in range(3))
    refused = an_order(("SOAP", 9))
    await follow_orders(tx, [cancelled(late.order_id, {2: 1})])
    await locks.hold(tx, [waited_for.order_id])

    await reserve_orders(tx, [served, late, waited_for, refused])

    rows = await quantities(tx, "reservations")
    assert {row["order_id"]: (row["state"], row["version"]) for row in rows} == {
        served.order_id: ("open", 1),
        late.order_id: ("open", 2),
        waited_for.order_id: ("open", 1),
        refused.order_id: ("closed", 1),
    }
    assert {(r["cause"], r["policy"], r["placed_at"]) for r in rows} == {
        ("order_placed", served.policy, served.placed_at)
    }


async def test_only_as_many_who_wait_are_found_as_can_be_served(tx):
    await put_product(tx, a_product())
    orders = [
        an_order(("SOAP", 2), policy=Policy.ALLOW_BACKORDER, placed_after_s=number)
        for number in range(5)
    ]
    await reserve_orders(tx, orders)

    reached = await waiting.hold_first(tx, {"SOAP": 3})

    assert set(reached) == {orders[0].order_id, orders[1].order_id}


async def test_products_are_found_by_parts_of_sku_and_name(tx):
    await put_product(tx, a_product("SOAP-5L", name="Soap"))
    await put_product(tx, a_product("RUM", name="100% rum_soap"))
    await put_product(tx, a_product("TEA", name="Tea"))

    async def found(q: str) -> list[str]:
        return [p.product.sku for p in await products.find(tx, EVERYTHING, q)]

    assert await found("soap") == ["RUM", "SOAP-5L"]
    assert await found("%") == ["RUM"]
    assert await found("_") == ["RUM"]


async def test_locks_of_a_product_do_not_disturb_other_products(database):
    await database.transact(stocked, ("SOAP", 5), ("RUM", 5))
    other = an_order(("RUM", 1))

    async with database.begin() as busy:
        await products.hold(busy, ["SOAP"])
        await database.transact(reserve_orders, [other])

    async with database.begin() as tx:
        (line,) = await quantities(tx, "reservation_lines")
        assert line["reserved"] == 1
