from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from chassis.outbox import outbox
from orders.commands.placing import place_orders
from orders.schema import order_lines, orders
from orders.store.digest import DIGEST
from tests.digests import broken, figures
from tests.orders.factories import a_line, an_order


@pytest.fixture
async def order(tx):
    order = an_order(a_line(quantity=3), placed_at=datetime.now(UTC))
    await place_orders(tx, [order])
    return order


async def test_an_undecided_order_is_a_deposit(tx, order):
    assert await figures(tx, DIGEST, order.id) == {
        "requested": 3,
        "pending": 3,
        "sequence": 1,
        "total": order.total,
        "deposits": order.total,
    }
    assert await broken(tx, DIGEST) == {}


@pytest.mark.usefixtures("order")
async def test_a_status_that_the_units_do_not_make_is_found(tx):
    await tx.execute(update(order_lines).values(pending=0, shipped=3))

    assert list(await broken(tx, DIGEST)) == ["status_follows_units"]


@pytest.mark.parametrize(
    ("status", "units"),
    [
        ("confirmed", {"pending": 0, "reserved": 2, "cancelled": 1}),
        ("partially_shipped", {"pending": 0, "shipped": 2, "backordered": 1}),
        ("shipped", {"pending": 0, "shipped": 2, "cancelled": 1}),
        ("cancelled", {"pending": 0, "cancelled": 3}),
        ("rejected", {"pending": 0, "cancelled": 3}),
    ],
)
@pytest.mark.usefixtures("order")
async def test_a_status_that_the_units_make_is_none(tx, status, units):
    decided = {"status": status, "decided_at": datetime.now(UTC)}
    await tx.execute(update(orders).values(decided))
    await tx.execute(update(order_lines).values(units))

    assert await broken(tx, DIGEST) == {}


@pytest.mark.usefixtures("order")
async def test_a_fact_that_is_not_in_the_log_is_found(tx):
    await tx.execute(update(outbox).values(sequence=None))

    assert await broken(tx, DIGEST) == {"facts_without_gaps": [(1, 0)]}
