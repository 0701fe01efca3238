import pytest
from sqlalchemy import update

from contracts.orders import Policy
from inventory.commands.holds import hold_units
from inventory.commands.reservations import reserve_orders
from inventory.schema import allocations, reservation_lines, stock
from inventory.store.digest import DIGEST
from tests.digests import broken, figures
from tests.inventory.factories import a_hold, an_order, stocked


@pytest.fixture
async def order(tx):
    """Two of three are kept for it."""
    await stocked(tx, ("SOAP", 2))
    order = an_order(("SOAP", 3), policy=Policy.ALLOW_PARTIAL)
    await reserve_orders(tx, [order])
    return order


async def test_what_is_short_counts_as_cancelled(tx, order):
    assert await figures(tx, DIGEST, order.order_id) == {
        "requested": 3,
        "reserved": 2,
        "short": 1,
        "cancelled": 1,
    }
    assert await broken(tx, DIGEST) == {}


async def test_what_a_hold_keeps_adds_up_too(tx):
    await stocked(tx, ("SOAP", 2))
    await hold_units(tx, a_hold(("SOAP", 2)), actor="checkout")

    assert await broken(tx, DIGEST) == {}


@pytest.mark.parametrize(
    ("table", "wrong", "found"),
    [
        (stock, {"on_hand": 5}, {"movements_make_on_hand": [(2, 5)]}),
        (
            stock,
            {"reserved": 1},
            {
                "movements_make_reserved": [(2, 1)],
                "orders_and_holds_make_reserved": [(2, 1)],
            },
        ),
        (reservation_lines, {"reserved": 3}, {"allocations_make_reserved": [(2, 3)]}),
        (reservation_lines, {"shipped": 1}, {"allocations_make_shipped": [(0, 1)]}),
        (
            allocations,
            {"reserved": 1},
            {
                "orders_and_holds_make_reserved": [(1, 2)],
                "allocations_make_reserved": [(1, 2)],
            },
        ),
    ],
    ids=lambda value: value.name if hasattr(value, "name") else None,
)
@pytest.mark.usefixtures("order")
async def test_what_does_not_add_up_is_found(tx, table, wrong, found):
    await tx.execute(update(table).values(wrong))

    assert await broken(tx, DIGEST) == found


@pytest.mark.usefixtures("order")
async def test_stock_without_a_row_is_found(tx):
    await tx.execute(stock.delete())

    assert (await broken(tx, DIGEST))["movements_make_on_hand"] == [(2, 0)]
