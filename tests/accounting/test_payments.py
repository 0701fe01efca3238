"""Customers on terms pay, too little and too much."""

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from accounting.commands.documents import number_documents
from accounting.handlers.orders import post_orders
from accounting.schema import documents, orders
from accounting.settings import EXAMPLE_SELLER
from accounting.store import journal
from chassis.outbox import outbox
from contracts.accounting import InvoicePaid
from contracts.inventory import Condition
from tests.accounting.factories import (
    AT,
    TERMS,
    a_line,
    an_order,
    arriving,
    confirmed,
    returned,
    shipped,
    stories,
    story,
)

FIRST, SECOND = "INV-2026-000001", "INV-2026-000002"


@pytest.fixture
async def desk(client, issuer):
    """Who keeps the books."""
    client.headers.update(issuer.headers("accounting.read", "accounting.write"))
    return client


async def pay(desk, paid, *invoices, expect=201, key=None, **changes):
    body = {
        "customer_id": "c-42",
        "amount": paid,
        "currency": "EUR",
        "reference": "SEPA 4711",
        "invoices": list(invoices),
    } | changes
    headers = {"Idempotency-Key": key or uuid4().hex}
    answer = await desk.post("/v1/accounting/payments", json=body, headers=headers)
    assert answer.status_code == expect, answer.text
    return answer.json()


def shipped_order(**changes):
    """An invoice of 3558: two units and their shipping."""
    placed = an_order(**{"payment": TERMS} | changes)
    return story(placed, confirmed(placed), shipped(placed, {1: 2}))


async def post(database, *facts):
    await database.transact(post_orders, stories(*facts))
    await database.transact(number_documents, EXAMPLE_SELLER)


async def paid(database):
    async with database.begin() as tx:
        query = select(documents.c.paid).order_by(documents.c.id)
        return list((await tx.execute(query)).scalars())


async def positions(database):
    async with database.begin() as tx:
        query = select(orders.c.payment_status).order_by(orders.c.placed_on)
        return list((await tx.execute(query)).scalars())


async def balance(database, account):
    async with database.begin() as tx:
        found = await journal.balances(tx, AT.date().replace(year=2099))
    return sum(b.debit - b.credit for b in found if b.account.value == account)


async def test_a_payment_is_allocated_in_the_order_given(desk, database):
    await post(database, shipped_order(), shipped_order())

    answer = await pay(desk, 4000, SECOND, FIRST)

    assert answer.pop("id")
    assert answer.pop("received_on")
    assert answer == {
        "customer_id": "c-42",
        "amount": 4000,
        "currency": "EUR",
        "reference": "SEPA 4711",
        "allocations": [
            {"invoice": SECOND, "amount": 3558},
            {"invoice": FIRST, "amount": 442},
        ],
        "unallocated": 0,
    }
    assert await paid(database) == [442, 3558]
    assert await balance(database, "1010") == 4000
    assert await balance(database, "1100") == 2 * 3558 - 4000


async def test_what_is_paid_too_much_stays_a_credit(desk, database):
    await post(database, shipped_order())

    answer = await pay(desk, 4000, FIRST)

    assert answer["unallocated"] == 442
    assert await paid(database) == [3558]
    assert await balance(database, "1100") == -442


async def test_a_payment_for_nothing_in_particular_is_a_credit(desk, database):
    answer = await pay(desk, 100)

    assert (answer["unallocated"], answer["allocations"]) == (100, [])
    assert await balance(database, "1100") == -100


async def test_an_order_is_due_then_partly_paid_then_paid(desk, database):
    await post(database, shipped_order())
    seen = await positions(database)

    for amount in (1000, 2558):
        await pay(desk, amount, FIRST)
        seen += await positions(database)

    assert seen == ["due", "partly_paid", "paid"]
    async with database.begin() as tx:
        of_type = outbox.c.type == InvoicePaid.type
        query = select(outbox.c.data).where(of_type).order_by(outbox.c.added)
        told = (await tx.execute(query)).scalars().all()
    assert [(one["number"], one["paid"], one["total"]) for one in told] == [
        (FIRST, 1000, 3558),
        (FIRST, 3558, 3558),
    ]
    assert [one["payment"] for one in told] == [
        {"version": 2, "status": "partly_paid"},
        {"version": 3, "status": "paid"},
    ]


async def test_a_paid_order_owes_again_when_more_is_shipped(desk, database):
    placed = an_order(payment=TERMS)
    *first, last = story(
        placed, confirmed(placed), shipped(placed, {1: 1}), shipped(placed, {1: 1})
    )
    await post(database, first)
    await pay(desk, 1250 + 238 + 583, FIRST)
    assert await positions(database) == ["paid"]

    await post(database, [last])

    assert await positions(database) == ["partly_paid"]


async def test_what_came_back_need_not_be_paid(desk, database):
    placed = an_order(a_line(tax=0), payment=TERMS)
    *facts, back = story(
        placed,
        confirmed(placed),
        shipped(placed, {1: 2}),
        returned(placed, (1, 1, Condition.RESELLABLE)),
    )
    await post(database, [*facts, back])

    answer = await pay(desk, 3083, FIRST)

    assert answer["unallocated"] == 1250
    assert await positions(database) == ["paid"]
    assert await balance(database, "1100") == -1250


async def test_goods_that_come_back_after_they_were_paid_are_a_credit(desk, database):
    placed = an_order(a_line(tax=0), payment=TERMS)
    facts = story(placed, confirmed(placed), shipped(placed, {1: 2}))
    await post(database, facts)
    await pay(desk, 3083, FIRST)

    back = returned(placed, (1, 1, Condition.RESELLABLE))
    late = arriving(back, subject=str(placed.order_id), sequence=4)
    await post(database, [late])

    assert await positions(database) == ["paid"]
    assert await balance(database, "1100") == -1250
    async with database.begin() as tx:
        found = await tx.execute(select(documents.c.credited))
        assert found.scalars().all() == [0, 0]


async def test_what_came_back_lessens_what_is_invoiced_of_its_order_later(
    desk, database
):
    placed = an_order(a_line(quantity=3, tax=0), payment=TERMS)
    facts = story(
        placed,
        confirmed(placed),
        shipped(placed, {1: 1}),
        returned(placed, (1, 1, Condition.RESELLABLE)),
        shipped(placed, {1: 2}),
    )
    await post(database, facts[:3])
    await pay(desk, 1833, FIRST)

    await post(database, facts[3:4])
    await post(database, facts[4:])

    async with database.begin() as tx:
        query = select(documents.c.total, documents.c.credited).order_by(documents.c.id)
        found = [tuple(row) for row in await tx.execute(query)]
    assert found == [(1833, 0), (1250, 1250), (2500, 1250)]
    assert await positions(database) == ["partly_paid"]


async def test_what_cannot_be_paid_is_named_and_nothing_is_booked(desk, database):
    await post(
        database,
        shipped_order(),
        shipped_order(customer_id="c-7"),
        shipped_order(currency="JPY"),
    )
    wrong = ["INV-2026-000009", FIRST, SECOND, "INV-2026-000003", FIRST]

    problem = await pay(desk, 9000, *wrong, expect=422)

    assert problem["code"] == "invoices_not_payable"
    assert problem["errors"] == [
        {"pointer": "/invoices/0", "detail": "the customer has no such invoice"},
        {"pointer": "/invoices/2", "detail": "the customer has no such invoice"},
        {"pointer": "/invoices/3", "detail": "this invoice is in JPY"},
        {"pointer": "/invoices/4", "detail": "this invoice is named twice"},
    ]
    assert await balance(database, "1010") == 0


async def test_a_payment_is_recorded_once_for_its_key(desk, database):
    await post(database, shipped_order())

    first = await pay(desk, 100, FIRST, key="once")
    again = await pay(desk, 100, FIRST, key="once")

    assert again == first
    assert await paid(database) == [100]


async def test_payments_are_found_again(desk, issuer):
    await pay(desk, 100)
    other = await pay(desk, 200, customer_id="c-7")

    listed = (await desk.get("/v1/accounting/payments")).json()["items"]
    found = await desk.get(f"/v1/accounting/payments/{other['id']}")
    desk.headers.update(issuer.headers("accounting.read", customer="c-42"))
    own = (await desk.get("/v1/accounting/payments")).json()["items"]
    hidden = await desk.get(f"/v1/accounting/payments/{other['id']}")

    assert [one["amount"] for one in listed] == [200, 100]
    assert found.json() == other
    assert [one["amount"] for one in own] == [100]
    assert (hidden.status_code, hidden.json()["code"]) == (404, "payment_not_found")


async def test_a_customer_does_not_say_that_it_has_paid(client, issuer):
    client.headers.update(issuer.headers("accounting.write", customer="c-42"))

    assert (await pay(client, 1, expect=403))["code"] == "not_for_customers"


@pytest.mark.parametrize(
    "wrong", [{"amount": 0}, {"amount": 1.5}, {"currency": "eur"}, {"extra": 1}]
)
async def test_what_is_no_payment_is_refused(desk, wrong):
    assert (await pay(desk, 1, expect=422, **wrong))["errors"]


@pytest.mark.parametrize("table", ["payments", "payment_allocations"])
async def test_a_payment_stays_as_it_was_recorded(tx, table):
    with pytest.raises(IntegrityError, match="corrected by new rows"):
        await tx.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - ours


async def test_two_payments_at_once_do_not_pay_an_invoice_twice(desk, database):
    await post(database, shipped_order())

    answers = await asyncio.gather(*(pay(desk, 2000, FIRST) for _ in range(4)))

    assert await paid(database) == [3558]
    assert sum(one["unallocated"] for one in answers) == 4 * 2000 - 3558
    assert await positions(database) == ["paid"]
