"""Whole stories of orders, to the cent: every figure here was worked out by hand."""

from collections import Counter
from fractions import Fraction
from itertools import pairwise
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounting.domain.bookkeeping import Books
from accounting.domain.documents import Series
from accounting.handlers.facts import read_fact
from contracts.inventory import Condition
from contracts.orders import Payment, PaymentMethod, Shipping
from tests.accounting.factories import (
    PREPAID,
    TERMS,
    a_line,
    an_order,
    cancelled,
    confirmed,
    rejected,
    returned,
    shipped,
    story,
)

GOOD, DAMAGED = Condition.RESELLABLE, Condition.DAMAGED
EACH_CURRENCY = pytest.mark.parametrize("currency", ["EUR", "JPY", "KWD"])


def told(placed, *then):
    books, order = Books(), None
    for fact in filter(None, map(read_fact, story(placed, *then))):
        order = books.enter(order, fact)
    return books, order


def balances(books):
    """Debits are positive; what came to nothing is left out."""
    sums: Counter[str] = Counter()
    for posting in (p for entry in books.entries for p in entry.postings):
        sums[posting.account.value] += posting.debit - posting.credit
    return {account: amount for account, amount in sums.items() if amount}


def totals(books, series):
    return [one.total for one in books.documents if one.series is series]


# Seven at 333 less 100 with 431 of tax; three at 1250 with 713 of tax.
# By unit, the discount is 14 15 14 14 14 15 14, the tax 62 61 62 61 62 61 62;
# the tax of the second line 238 237 238.
LINES = (
    a_line(1, quantity=7, unit_price=333, discount=100, tax=431),
    a_line(2, quantity=3, unit_price=1250, discount=0, tax=713),
)


def the_long_story(currency: str, payment: Payment) -> Books:
    placed = an_order(*LINES, currency=currency, payment=payment)
    books, _ = told(
        placed,
        confirmed(placed, short={1: 1}),  # the seventh
        shipped(placed, {1: 2}, cost=100),  # first and second
        cancelled(placed, {1: 1}),  # third
        shipped(placed, {1: 1, 2: 1}, cost=100),  # fourth; first
        cancelled(placed, {2: 1}),  # second
        shipped(placed, {1: 2, 2: 1}, cost=100),  # fifth and sixth; third
        returned(placed, (1, 1, GOOD), (1, 2, DAMAGED), cost=90),  # 1st, 2nd, 4th
    )
    return books


GOODS_MOVED = {
    "1200": -700 + 90,
    "4000": -(666 + 1583 + 1916),
    "4010": -490,
    "4100": 29 + 14 + 29,
    "4200": 319 + 318 + 319,
    "5000": 700 - 270,
    "5100": 180,
    "2100": -(93 + 62 + 61 + 61 + 62 + 61 + 238 + 238) + 62 + 61 + 61,
}


@EACH_CURRENCY
def test_prepaid_partly_short_shipped_in_three_parts_partly_cancelled_and_returned(
    currency,
):
    books = the_long_story(currency, PREPAID)

    refunds = [381, 381, 1487, 1140]
    assert balances(books) == GOODS_MOVED | {"1000": 7708, "2200": -sum(refunds)}
    assert [refund.amount for refund in books.refunds] == refunds
    assert totals(books, Series.INVOICE) == [7327]
    assert totals(books, Series.CREDIT_NOTE) == [381, 1487, 1140]


@EACH_CURRENCY
def test_on_terms_partly_short_shipped_in_three_parts_partly_cancelled_and_returned(
    currency,
):
    books = the_long_story(currency, TERMS)

    invoices = [1343, 1868, 2248]
    assert balances(books) == GOODS_MOVED | {"1100": sum(invoices) - 1140}
    assert totals(books, Series.INVOICE) == invoices
    assert totals(books, Series.CREDIT_NOTE) == [1140]
    assert books.refunds == []
    assert {one.paid for one in books.documents} == {0}


def test_shipping_goes_back_when_the_last_unit_is_cancelled_before_any_left():
    line = a_line(quantity=3, unit_price=1001, discount=100, tax=271)
    shipping = Shipping(price=500, tax=50)
    placed = an_order(line, currency="JPY", shipping=shipping)

    books, order = told(
        placed, confirmed(placed), cancelled(placed, {1: 1}), cancelled(placed, {1: 2})
    )

    # 1001 - 33 + 90; 2002 - 67 + 181, and 550 of shipping.
    assert [refund.amount for refund in books.refunds] == [1058, 2666]
    assert balances(books) == {"1000": 3724, "2200": -3724}
    assert order.tally.credited == order.tally.invoiced == 3724


def test_shipping_stays_earned_when_the_rest_is_cancelled_after_a_shipment():
    placed = an_order(a_line(quantity=2, tax=475))

    books, _ = told(
        placed, confirmed(placed), shipped(placed, {1: 1}), cancelled(placed, {1: 1})
    )

    # 475 of tax are 238 and 237.
    assert [refund.amount for refund in books.refunds] == [1250 + 237]
    assert balances(books) == {
        "1000": 3558,
        "2200": -1487,
        "4000": -1250,
        "4010": -490,
        "2100": -(238 + 93),
    }


def test_shipping_goes_back_with_the_confirmed_units_when_the_others_were_short():
    placed = an_order(a_line(quantity=2, tax=475))

    books, _ = told(placed, confirmed(placed, short={1: 1}), cancelled(placed, {1: 1}))

    assert [refund.amount for refund in books.refunds] == [1487, 1488 + 583]


def test_what_comes_back_was_shipped_first_whatever_was_cancelled_in_between():
    line = a_line(quantity=4, unit_price=10, discount=0, tax=6)  # 2 1 2 1 by unit
    placed = an_order(line)

    books, _ = told(
        placed,
        confirmed(placed),
        cancelled(placed, {1: 1}),
        shipped(placed, {1: 1}),
        cancelled(placed, {1: 1}),
        shipped(placed, {1: 1}),
        returned(placed, (1, 1, GOOD)),
        returned(placed, (1, 1, GOOD)),
    )

    assert totals(books, Series.CREDIT_NOTE) == [12, 12, 11, 11]


def test_a_free_order_posts_nothing_but_what_its_goods_are_worth():
    line = a_line(quantity=2, unit_price=0, tax=0)
    placed = an_order(line, shipping=Shipping(price=0, tax=0))

    books, _ = told(placed, confirmed(placed), shipped(placed, {1: 2}, cost=640))

    assert balances(books) == {"5000": 1280, "1200": -1280}


def by_currency(books):
    """The accounts of goods, and each currency that they are in."""
    sums: Counter[tuple[str, str]] = Counter()
    for posting in (p for entry in books.entries for p in entry.postings):
        if posting.account.value in {"1200", "4000", "5000", "5100"}:
            key = posting.account.value, posting.currency
            sums[key] += posting.debit - posting.credit
    return dict(sums)


@pytest.mark.parametrize("payment", [PREPAID, TERMS])
def test_goods_are_booked_in_the_currency_they_are_valued_in(payment):
    lines = a_line(1, quantity=2, unit_price=1000), a_line(2, unit_price=500)
    placed = an_order(*lines, currency="EUR", payment=payment)

    books, _ = told(
        placed,
        confirmed(placed),
        shipped(placed, {1: 2}, cost=640, currency="USD"),
        shipped(placed, {2: 1}, cost=90, currency="EUR"),
        returned(placed, (1, 1, GOOD), (1, 1, DAMAGED), cost=600, currency="USD"),
    )

    assert by_currency(books) == {
        ("4000", "EUR"): -2500,
        ("5000", "USD"): 2 * 640 - 2 * 600,
        ("1200", "USD"): -2 * 640 + 600,
        ("5100", "USD"): 600,
        ("5000", "EUR"): 90,
        ("1200", "EUR"): -90,
    }


def by_unit(whole, quantity):
    """Cumulative rounding, as the contract describes it, in exact fractions."""
    reached = [
        floor(Fraction(whole * k, quantity) + Fraction(1, 2))
        for k in range(quantity + 1)
    ]
    return [after - before for before, after in pairwise(reached)]


@st.composite
def tales(draw):
    """An order, all that happens to it, and where each of its units ended."""
    lines, fates, decided = [], {}, {}
    for n in range(1, draw(st.integers(1, 3)) + 1):
        quantity, price = draw(st.integers(1, 7)), draw(st.integers(0, 999))
        discount = draw(st.integers(0, quantity * price))
        tax = draw(st.integers(0, 999))
        lines.append(
            a_line(n, quantity=quantity, unit_price=price, discount=discount, tax=tax)
        )
        decided[n] = draw(st.integers(0 if n > 1 else 1, quantity))
        fates[n] = ["open"] * decided[n] + ["short"] * (quantity - decided[n])
    shipping = Shipping(price=draw(st.integers(0, 99)), tax=draw(st.integers(0, 9)))
    payment = draw(st.sampled_from([PREPAID, TERMS]))
    placed = an_order(*lines, shipping=shipping, payment=payment)
    short = {line.line: line.quantity - decided[line.line] for line in lines}
    facts = [confirmed(placed, short=short)]
    for _ in range(draw(st.integers(0, 9))):
        facts += draw(steps(placed, fates))
    return placed, facts, fates


MOVES = {"shipped": "open", "cancelled": "open", "returned": "shipped"}


@st.composite
def steps(draw, placed, fates):
    fate = draw(st.sampled_from(list(MOVES)))
    units: dict[int, int] = {}
    for n, of_line in fates.items():
        there = [place for place, now in enumerate(of_line) if now == MOVES[fate]]
        count = draw(st.integers(0, len(there)))
        for place in there[:count]:
            of_line[place] = fate
        units |= {n: count} if count else {}
    if not units:
        return []
    if fate == "returned":
        back = [(n, q, draw(st.sampled_from(Condition))) for n, q in units.items()]
        return [returned(placed, *back, cost=7)]
    return [{"shipped": shipped, "cancelled": cancelled}[fate](placed, units)]


def worth(placed, fates, *wanted):
    """Net and tax of the units that ended so."""
    net = tax = 0
    for line in placed.lines:
        discounts = by_unit(line.discount, line.quantity)
        taxes = by_unit(line.tax, line.quantity)
        for place, fate in enumerate(fates[line.line]):
            if fate in wanted:
                net += line.unit_price - discounts[place]
                tax += taxes[place]
    return net, tax


@given(tales())
def test_parts_always_add_up_to_what_is_open_and_in_the_end_to_nothing(tale):
    placed, facts, fates = tale
    books, order = told(placed, *facts)
    left = Counter(balances(books))
    all_fates = {fate for of_line in fates.values() for fate in of_line}
    left_any = bool(all_fates & {"shipped", "returned"})
    given_back = not left_any and "open" not in all_fates
    shipping = placed.shipping
    open_net, open_tax = worth(placed, fates, "open")
    kept_net, kept_tax = worth(placed, fates, "shipped")
    back_net, back_tax = worth(placed, fates, "returned")

    if placed.payment.method is PaymentMethod.PREPAID:
        waits = 0 if left_any or given_back else shipping.price
        untaxed = 0 if given_back else shipping.tax
        off_net, off_tax = worth(placed, fates, "short", "cancelled")
        refunds = off_net + off_tax + back_net + back_tax
        refunds += shipping.price + shipping.tax if given_back else 0
        assert left["1000"] == placed.total
        assert left["2000"] == 0
        assert left["2050"] == -(open_net + waits)
        assert left["2100"] == -(open_tax + kept_tax + untaxed)
        assert left["2200"] == -refunds == -sum(r.amount for r in books.refunds)
        assert order.tally.to_refund == refunds <= placed.total
    else:
        earned = shipping.price + shipping.tax if left_any else 0
        assert left["1100"] == kept_net + kept_tax + earned == order.tally.owed
        assert left["2100"] == -(kept_tax + (shipping.tax if left_any else 0))
    assert left["4010"] == -(shipping.price if left_any else 0)
    assert left["4000"] + left["4100"] + left["4200"] == -kept_net
    assert left["4200"] == back_net
    assert sum(left.values()) == 0


def test_a_rejected_order_is_over():
    placed = an_order()

    books, order = told(placed, rejected(placed))

    assert balances(books) == {"1000": 3558, "2200": -3558}
    assert order.nothing_open
