from uuid import UUID, uuid4

import pytest
from sqlalchemy import text, update

from accounting.commands.documents import number_documents
from accounting.commands.payments import Received, record_payment
from accounting.domain.ledger import Account, Entry, net
from accounting.handlers.orders import post_orders
from accounting.schema import documents, order_lines, parked_facts
from accounting.settings import EXAMPLE_SELLER
from accounting.store import journal
from accounting.store.digest import DIGEST
from contracts.inventory import Condition
from contracts.orders import Shipping
from tests.accounting.factories import (
    AT,
    PREPAID,
    TERMS,
    UNEVEN,
    a_line,
    an_order,
    cancelled,
    confirmed,
    rejected,
    returned,
    shipped,
    story,
)
from tests.digests import broken, figures

IN_THE_BOOKS = [
    ("to_invoice", "invoiced_units"),
    ("to_credit", "credited_units"),
    ("refunds_owed", "refunds_open"),
    ("invoiced", "invoiced_posted"),
    ("credited", "credited_posted"),
    ("undelivered", "deferred"),
    ("on_terms", "receivable"),
    ("paid", "allocated"),
    ("lessened", "set_off"),
]


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


@pytest.mark.parametrize("payment", [PREPAID, TERMS])
async def test_the_books_agree_with_the_order_after_each_of_its_facts(tx, payment):
    uneven = a_line(1, quantity=7, unit_price=333, discount=100, tax=431)
    placed = an_order(uneven, a_line(2), payment=payment)
    facts = story(
        placed,
        confirmed(placed, short={1: 1}),
        cancelled(placed, {1: 1}),
        shipped(placed, {1: 2}),
        returned(placed, (1, 1, Condition.DAMAGED)),
        shipped(placed, {1: 2, 2: 1}),
        cancelled(placed, {1: 1, 2: 1}),
        returned(placed, (1, 3, Condition.RESELLABLE)),
    )
    for fact in facts:
        await post_orders(tx, [fact])

        found = await figures(tx, DIGEST, placed.order_id)
        for one, other in IN_THE_BOOKS:
            assert found.get(one) == found.get(other), (fact.data, one)
        assert await broken(tx, DIGEST) == {}


async def test_a_payment_agrees_with_what_it_was_allocated_to(tx):
    placed = an_order(payment=TERMS)
    await post_orders(tx, story(placed, confirmed(placed), shipped(placed, {1: 2})))
    await number_documents(tx, EXAMPLE_SELLER)
    received = Received(
        id=uuid4(),
        customer_id=placed.customer_id,
        amount=4000,
        currency="EUR",
        reference="bank",
        invoices=("INV-2026-000001",),
        received_on=AT.date(),
    )
    await record_payment(tx, received)

    found = await figures(tx, DIGEST, placed.order_id)
    assert found["paid"] == found["allocated"] == placed.total
    assert await broken(tx, DIGEST) == {}


@pytest.mark.parametrize(
    ("wrong", "figures_"),
    [
        ({"net": 2991, "total": 3559}, ("invoiced", "invoiced_posted")),
        ({"net": 2991, "total": 3559}, ("on_terms", "receivable")),
        ({"paid": 1}, ("paid", "allocated")),
        ({"credited": 1}, ("lessened", "set_off")),
    ],
)
async def test_a_document_that_was_changed_shows(tx, wrong, figures_):
    placed = an_order(payment=TERMS)
    await post_orders(tx, story(placed, confirmed(placed), shipped(placed, {1: 2})))

    await tx.execute(update(documents).values(wrong))

    found = await figures(tx, DIGEST, placed.order_id)
    one, other = (found.get(name, 0) for name in figures_)
    assert one == other + 1
    assert "receivables" in await broken(tx, DIGEST)


async def test_a_posting_that_no_fact_explains_shows(tx):
    placed = an_order()
    await post_orders(tx, story(placed, confirmed(placed)))
    accounts = (Account.SALES, -7), (Account.DEFERRED_REVENUE, 7)
    planted = Entry(
        rule="planted",
        order_id=placed.order_id,
        source_event_id=uuid4(),
        effective_on=AT.date(),
        postings=net((account, amount, "EUR") for account, amount in accounts),
    )

    await journal.add(tx, [planted])

    found = await figures(tx, DIGEST, placed.order_id)
    assert found["deferred"] == found["undelivered"] - 7


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
