from uuid import UUID

import pytest
from sqlalchemy import text, update

from accounting.handlers.orders import post_orders
from accounting.schema import documents, order_lines, parked_facts
from accounting.store.digest import DIGEST
from contracts.orders import Shipping
from tests.accounting.factories import (
    TERMS,
    UNEVEN,
    a_line,
    an_order,
    confirmed,
    rejected,
    story,
)
from tests.digests import broken, figures


async def test_an_undecided_order_is_a_deposit(tx):
    placed = an_order(UNEVEN)

    await post_orders(tx, story(placed))

    assert await figures(tx, DIGEST, placed.order_id) == {
        "requested": 3,
        "sequence": 1,
        "total": placed.total,
        "deposits": placed.total,
    }


async def test_a_decided_order_is_invoiced_and_refunded_to_the_unit(tx):
    placed = an_order(UNEVEN, a_line(2))

    await post_orders(tx, story(placed, confirmed(placed, short={1: 1})))

    found = await figures(tx, DIGEST, placed.order_id)
    assert found["to_invoice"] == found["invoiced_units"] == 4
    assert found["short"] == found["cancelled"] == 1
    assert found["refunds_owed"] == found["refunds_open"] > 0
    assert found["invoiced"] + found["refunds_owed"] == placed.total
    assert "deposits" not in found
    assert await broken(tx, DIGEST) == {}


async def test_a_rejected_order_leaves_what_is_to_be_refunded(tx):
    placed = an_order()

    await post_orders(tx, story(placed, rejected(placed)))

    found = await figures(tx, DIGEST, placed.order_id)
    assert found["refunds_owed"] == found["refunds_open"] == placed.total
    assert "to_invoice" not in found


async def test_an_order_on_terms_is_to_be_invoiced_when_it_ships(tx):
    placed = an_order(payment=TERMS)
    await post_orders(tx, story(placed, confirmed(placed)))
    assert "to_invoice" not in await figures(tx, DIGEST, placed.order_id)

    await tx.execute(update(order_lines).values(shipped=1))

    assert (await figures(tx, DIGEST, placed.order_id))["to_invoice"] == 1


async def test_a_free_order_agrees_too(tx):
    free = a_line(unit_price=0, tax=0)
    placed = an_order(free, shipping=Shipping(price=0, tax=0))

    await post_orders(tx, story(placed, confirmed(placed)))

    found = await figures(tx, DIGEST, placed.order_id)
    assert found.get("to_invoice") == found.get("invoiced_units")


async def test_an_invoice_that_is_wrong_shows(tx):
    placed = an_order()
    await post_orders(tx, story(placed, confirmed(placed)))

    await tx.execute(update(order_lines).values(short=1))

    found = await figures(tx, DIGEST, placed.order_id)
    assert (found["to_invoice"], found["invoiced_units"]) == (1, 2)


async def test_a_fact_that_waits_too_long_is_found(tx):
    placed = an_order()
    (_, second) = story(placed, confirmed(placed))
    await post_orders(tx, [second])
    assert await broken(tx, DIGEST) == {}

    earlier = parked_facts.c.parked_at - text("interval '2 minutes'")
    await tx.execute(update(parked_facts).values(parked_at=earlier))

    assert await broken(tx, DIGEST) == {"no_fact_parked": [(1, 2)]}


async def test_a_document_that_waits_too_long_for_its_number_is_found(tx):
    placed = an_order()
    await post_orders(tx, story(placed, confirmed(placed)))
    assert await broken(tx, DIGEST) == {}

    long_ago = UUID("01900000-0000-7000-8000-000000000000")
    await tx.execute(update(documents).values(id=long_ago))

    assert await broken(tx, DIGEST) == {"documents_numbered": [(0, 1)]}


@pytest.mark.usefixtures("posted")
async def test_books_out_of_balance_are_found(tx):
    await tx.execute(text("ALTER TABLE postings DISABLE TRIGGER USER"))
    await tx.execute(
        text("UPDATE postings SET debit = debit + 1 WHERE account = '1000'")
    )

    ((expected, actual),) = (await broken(tx, DIGEST))["trial_balance"]
    assert expected == actual + 1


@pytest.fixture
async def posted(tx):
    await post_orders(tx, story(an_order()))
