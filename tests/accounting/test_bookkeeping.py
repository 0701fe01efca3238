"""The posting rules held against examples that were worked out by hand."""

from uuid import uuid4

import pytest

from accounting.domain.bookkeeping import Books
from accounting.domain.documents import TaxOfRate
from accounting.domain.ledger import Account, Entry, Posting, Unbalanced
from accounting.domain.rules import STOCK_RECEIVED, STOCK_REVALUED
from accounting.domain.stock import Received, Revalued
from accounting.handlers.facts import read_fact
from contracts.accounting import PaymentStatus
from contracts.orders import Shipping
from tests.accounting.factories import (
    AT,
    TERMS,
    UNEVEN,
    a_line,
    an_order,
    confirmed,
    rejected,
    story,
)

NO_SHIPPING = Shipping(price=0, tax=0)


def booked(placed, *then):
    """The books of one order, and the order in the end."""
    books, order = Books(), None
    for fact in filter(None, map(read_fact, story(placed, *then))):
        order = books.enter(order, fact)
    return books, order


def amounts(entry):
    """Debits are positive."""
    return {p.account.value: p.debit - p.credit for p in entry.postings}


def entries(books):
    return {entry.rule: amounts(entry) for entry in books.entries}


def test_a_prepaid_order_is_a_deposit():
    books, order = booked(an_order())

    assert entries(books) == {"order_placed": {"1000": 3558, "2000": -3558}}
    assert order.position.status is PaymentStatus.CAPTURED


def test_a_confirmed_order_is_invoiced_and_owed_to_the_customer():
    placed = an_order()

    books, _ = booked(placed, confirmed(placed))

    assert entries(books)["order_confirmed"] == {
        "2000": 3558,
        "2050": -2990,
        "2100": -568,
    }
    (invoice,) = books.documents
    assert (invoice.net, invoice.tax, invoice.total) == (2990, 568, 3558)
    assert (invoice.paid, invoice.issued_on, invoice.due_on) == (3558, *[AT.date()] * 2)
    assert books.refunds == []


def test_short_units_are_refunded_and_the_rest_is_invoiced():
    placed = an_order(UNEVEN)

    books, order = booked(placed, confirmed(placed, short={1: 1}))

    # 666 less 67, tax 113; with shipping 490 and its tax 93.
    assert entries(books)["order_confirmed"] == {
        "2000": 1295,
        "2050": -1089,
        "2100": -206,
    }
    # 333 less 33, tax 57.
    assert entries(books)["order_confirmed_short"] == {"2000": 357, "2200": -357}
    assert [refund.amount for refund in books.refunds] == [357]
    assert (order.position.version, order.position.status) == (
        2,
        PaymentStatus.REFUND_PENDING,
    )


def test_a_line_that_is_short_of_all_its_units_is_not_on_the_invoice():
    placed = an_order(a_line(1), a_line(2))

    books, _ = booked(placed, confirmed(placed, short={2: 2}))

    (invoice,) = books.documents
    assert [line.sku for line in invoice.lines] == ["SKU-1", None]


def test_a_rejected_order_is_refunded_with_its_shipping():
    placed = an_order(UNEVEN)

    books, _ = booked(placed, rejected(placed))

    assert entries(books)["order_rejected"] == {"2000": 1652, "2200": -1652}
    (refund,) = books.refunds
    assert (refund.amount, refund.provider, refund.reference) == (
        1652,
        "acme-pay",
        "pay_77",
    )


@pytest.mark.parametrize("decide", [confirmed, rejected])
def test_on_terms_nothing_is_posted_before_goods_leave(decide):
    placed = an_order(payment=TERMS)

    books, order = booked(placed, decide(placed))

    assert (books.entries, books.documents, books.refunds) == ([], [], [])
    assert order.position.status is PaymentStatus.DUE


@pytest.mark.parametrize("currency", ["JPY", "KWD"])
def test_amounts_are_minor_units_whatever_the_currency_has(currency):
    placed = an_order(currency=currency)

    books, _ = booked(placed, confirmed(placed))

    assert {p.currency for e in books.entries for p in e.postings} == {currency}
    assert [invoice.total for invoice in books.documents] == [3558]


def test_a_free_order_has_an_invoice_and_no_entries():
    placed = an_order(a_line(unit_price=0, tax=0), shipping=NO_SHIPPING)

    books, _ = booked(placed, confirmed(placed))

    assert books.entries == []
    assert [invoice.total for invoice in books.documents] == [0]


def test_a_free_order_that_is_rejected_needs_no_refund():
    placed = an_order(a_line(unit_price=0, tax=0), shipping=NO_SHIPPING)

    books, order = booked(placed, rejected(placed))

    assert books.refunds == []
    assert order.position.status is PaymentStatus.CAPTURED


def test_the_tax_of_an_invoice_is_shown_per_rate():
    placed = an_order(
        a_line(1),
        a_line(2, unit_price=1000, tax=140, tax_rate="7.00"),
        a_line(3, tax_rate=None, tax=11),
    )

    books, _ = booked(placed, confirmed(placed))

    (invoice,) = books.documents
    assert invoice.taxes == (
        TaxOfRate(rate="19.00", net=2990, tax=568),
        TaxOfRate(rate="7.00", net=2000, tax=140),
        TaxOfRate(rate=None, net=2500, tax=11),
    )
    assert sum(line.net for line in invoice.lines) == invoice.net
    assert sum(line.tax for line in invoice.lines) == invoice.tax


def of_stock(rule, *moved):
    books = Books()
    books.enter_moved(rule, moved, event_id=uuid4(), happened_on=AT.date())
    return [amounts(entry) for entry in books.entries]


def received(unit_cost, standard_cost, currency="EUR"):
    return Received(
        quantity=10,
        unit_cost=unit_cost,
        standard_cost=standard_cost,
        currency=currency,
    )


@pytest.mark.parametrize(
    ("paid", "postings"),
    [
        (640, {"1200": 6400, "2300": -6400}),
        (650, {"1200": 6400, "5200": 100, "2300": -6500}),
        (600, {"1200": 6400, "5200": -400, "2300": -6000}),
    ],
)
def test_goods_are_received_at_standard_cost(paid, postings):
    assert of_stock(STOCK_RECEIVED, received(paid, 640)) == [postings]


def test_a_receipt_in_two_currencies_balances_in_each():
    books = Books()
    lines = [received(650, 640, "EUR"), received(70, 64, "JPY")]

    books.enter_moved(STOCK_RECEIVED, lines, event_id=uuid4(), happened_on=AT.date())

    (entry,) = books.entries
    for currency in ("EUR", "JPY"):
        of_currency = [p for p in entry.postings if p.currency == currency]
        assert sum(p.debit - p.credit for p in of_currency) == 0
        assert len(of_currency) == 3


@pytest.mark.parametrize(
    ("cost", "postings"),
    [
        (640, [{"1200": 400, "5200": -400}]),
        (590, [{"1200": -100, "5200": 100}]),
        (600, []),
    ],
)
def test_a_changed_cost_revalues_what_is_on_hand(cost, postings):
    moved = Revalued(on_hand=10, unit_cost=cost, previous_unit_cost=600, currency="EUR")

    assert of_stock(STOCK_REVALUED, moved) == postings


def test_an_entry_that_does_not_balance_cannot_be_made():
    debit = Posting(account=Account.BANK, debit=1, credit=0, currency="EUR")
    credit = Posting(account=Account.BANK, debit=0, credit=1, currency="JPY")

    with pytest.raises(Unbalanced):
        Entry(
            rule="mistaken",
            order_id=None,
            source_event_id=uuid4(),
            effective_on=AT.date(),
            postings=(debit, credit),
        )
