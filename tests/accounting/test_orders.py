from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from accounting.domain.lines import Inconsistent
from accounting.domain.orders import (
    Cancelled,
    Confirmed,
    Placed,
    Rejected,
    Returned,
    Shipped,
    Units,
    become,
    in_turn,
)
from accounting.handlers.facts import read_order
from contracts.orders import Payment, PaymentMethod
from tests.accounting.factories import UNEVEN, a_line, an_order


@dataclass(frozen=True)
class Numbered:
    sequence: int | None
    copy: int = 0


def placed_as(event):
    return Placed(order=read_order(event), total=event.total)


@given(st.integers(0, 5), st.sets(st.integers(1, 12)), st.randoms())
def test_facts_are_due_up_to_the_first_gap_and_early_after_it(applied, there, random):
    facts = [Numbered(n, copy) for n in there for copy in range(2)]
    random.shuffle(facts)

    due, early = in_turn(applied, facts)

    numbers = [fact.sequence for fact in due]
    assert numbers == list(range(applied + 1, applied + 1 + len(due)))
    assert applied + len(due) + 1 not in there
    assert {fact.sequence for fact in early} == {
        n for n in there if n > applied + len(due)
    }


def test_a_fact_without_a_sequence_has_no_place():
    with pytest.raises(Inconsistent):
        in_turn(0, [Numbered(None)])


@given(st.integers(0, 2), st.integers(0, 2))
def test_confirmed_and_short_units_make_up_the_order(short, other):
    order, _ = become(None, placed_as(an_order(UNEVEN, a_line(2))))
    decided = Confirmed(
        confirmed={1: 3 - short, 2: 2 - other}, short={1: short, 2: other}
    )

    _, shares = become(order, decided)

    for amount in ("gross", "discount", "net_and_shipping", "tax", "total"):
        parts = [getattr(share, amount) for share in shares.values()]
        assert sum(parts) == getattr(order.ordered, amount)


def test_short_units_are_the_last_ones():
    order, _ = become(None, placed_as(an_order(UNEVEN)))

    _, shares = become(order, Confirmed(confirmed={1: 2}, short={1: 1}))

    (kept, _), (missing,) = shares[Units.CONFIRMED].items, shares[Units.SHORT].items
    assert (kept.discount, kept.tax) == (67, 113)
    assert (missing.discount, missing.tax) == (33, 57)


def test_a_rejected_order_is_short_of_everything():
    order, _ = become(None, placed_as(an_order(UNEVEN)))

    after, shares = become(order, Rejected())

    assert [line.short for line in after.lines] == [3]
    assert shares[Units.ORDERED].total == 999 - 100 + 170 + 583


def test_a_total_that_is_not_the_sum_of_its_parts_is_not_booked():
    with pytest.raises(Inconsistent, match=r"3558.*3559"):
        become(None, placed_as(an_order(total=3559)))


def test_an_order_is_placed_once_and_first():
    placed = placed_as(an_order())

    with pytest.raises(Inconsistent):
        become(placed.order, placed)
    with pytest.raises(Inconsistent):
        become(None, Rejected())


def decided(event=None):
    """Two units of one line, to be delivered."""
    order, _ = become(None, placed_as(event or an_order()))
    order, _ = become(order, Confirmed(confirmed={1: 2}, short={}))
    return order


@pytest.mark.parametrize(
    "what",
    [
        Shipped(units={1: 3}, worth=()),
        Shipped(units={2: 1}, worth=()),
        Shipped(units={}, worth=()),
        Shipped(units={1: -1}, worth=()),
        Cancelled(units={1: 3}),
        Returned(units={1: 1}, worth=()),
        Confirmed(confirmed={1: 2}, short={}),
        Rejected(),
    ],
)
def test_what_cannot_be_true_of_a_confirmed_order_is_not_booked(what):
    with pytest.raises(Inconsistent):
        become(decided(), what)


@pytest.mark.parametrize(
    "what",
    [
        Shipped(units={1: 1}, worth=()),
        Cancelled(units={1: 1}),
        Returned(units={1: 1}, worth=()),
        Confirmed(confirmed={}, short={1: 2}),
    ],
)
def test_what_cannot_be_true_of_an_undecided_order_is_not_booked(what):
    order, _ = become(None, placed_as(an_order()))

    with pytest.raises(Inconsistent):
        become(order, what)


def test_units_leave_and_come_back_once():
    order, _ = become(decided(), Shipped(units={1: 2}, worth=()))
    order, _ = become(order, Returned(units={1: 2}, worth=()))

    for again in (
        Shipped(units={1: 1}, worth=()),
        Cancelled(units={1: 1}),
        Returned(units={1: 1}, worth=()),
    ):
        with pytest.raises(Inconsistent):
            become(order, again)


def test_units_that_left_without_a_break_are_remembered_as_one_run():
    line = placed_as(an_order(a_line(quantity=9))).order.lines[0]
    for move, count in [("ship", 2), ("ship", 1), ("cancel", 2), ("ship", 3)]:
        line, _ = getattr(line, move)(count)

    assert line.shipped_runs == ((0, 3), (5, 8))


def test_a_prepaid_order_says_how_it_was_paid():
    nobody = Payment(method=PaymentMethod.PREPAID, captured=3558)

    with pytest.raises(Inconsistent, match="nobody says how"):
        become(None, placed_as(an_order(payment=nobody)))


@pytest.mark.parametrize("lines", [{1: 1}, {1: 2, 2: 1}, {}])
def test_a_decision_about_other_quantities_is_not_booked(lines):
    order = replace(placed_as(an_order()).order)

    with pytest.raises(Inconsistent):
        become(order, Confirmed(confirmed=lines, short={}))
