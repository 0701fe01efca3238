from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounting.domain.lines import Inconsistent
from accounting.domain.orders import (
    Confirmed,
    Placed,
    Rejected,
    Units,
    become,
    in_turn,
)
from accounting.handlers.facts import read_order
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

    (kept,), (missing,) = shares[Units.CONFIRMED].goods, shares[Units.SHORT].goods
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


@pytest.mark.parametrize("lines", [{1: 1}, {1: 2, 2: 1}, {}])
def test_a_decision_about_other_quantities_is_not_booked(lines):
    order = replace(placed_as(an_order()).order)

    with pytest.raises(Inconsistent):
        become(order, Confirmed(confirmed=lines, short={}))
