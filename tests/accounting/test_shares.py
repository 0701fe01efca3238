from hypothesis import given
from hypothesis import strategies as st

from accounting.domain.lines import Line
from accounting.domain.shares import share, share_of, shipping

wholes = st.integers(0, 10**12)
cuts = st.lists(st.integers(0, 50), min_size=1, max_size=20).filter(any)


def test_a_share_is_what_the_first_units_get_rounded_half_up_less_what_was_used():
    thirds = [share(100, quantity=3, first=first, units=1) for first in range(3)]
    halves = [share(1, quantity=2, first=first, units=1) for first in range(2)]

    assert thirds == [33, 34, 33]
    assert halves == [1, 0]


@given(wholes, cuts)
def test_parts_add_up_to_the_whole_however_it_is_cut(whole, parts):
    shares = []
    first = 0
    for units in parts:
        shares.append(share(whole, quantity=sum(parts), first=first, units=units))
        first += units

    assert sum(shares) == whole
    assert min(shares) >= 0


@given(wholes, st.integers(1, 100_000), st.data())
def test_it_makes_no_difference_whether_units_leave_together(whole, quantity, data):
    first = data.draw(st.integers(0, quantity))
    units = data.draw(st.integers(0, quantity - first))

    one_by_one = [
        share(whole, quantity=quantity, first=n, units=1)
        for n in range(first, min(first + units, first + 50))
    ]

    together = share(whole, quantity=quantity, first=first, units=len(one_by_one))
    assert sum(one_by_one) == together


@given(st.integers(0, 10**6), st.integers(1, 1000), st.data())
def test_no_unit_is_discounted_below_nothing(unit_price, quantity, data):
    discount = data.draw(st.integers(0, unit_price * quantity))
    first = data.draw(st.integers(0, quantity - 1))
    line = Line(
        line=1,
        sku="SOAP",
        quantity=quantity,
        unit_price=unit_price,
        discount=discount,
        tax=0,
        tax_rate=None,
    )

    assert line.units(first, 1).net >= 0


def test_free_shipping_is_no_item():
    assert shipping(0, 0, "19.00") is None
    assert share_of([], shipping(490, 93, None)).total == 583
