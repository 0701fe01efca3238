from hypothesis import given
from hypothesis import strategies as st

from accounting.domain.money import Money, spread


@given(st.integers(0, 1000), st.lists(st.integers(-5, 300)))
def test_an_amount_is_spread_in_order_and_none_gets_more_than_is_open(amount, over):
    given_ = spread(amount, over)

    assert sum(given_) == min(amount, sum(max(open_, 0) for open_ in over))
    assert all(
        0 <= one <= max(open_, 0) for one, open_ in zip(given_, over, strict=True)
    )
    for place, one in enumerate(given_):
        assert one == max(over[place], 0) or not any(given_[place + 1 :])


def test_a_payout_is_what_the_gateway_held_less_its_fee():
    assert Money(amount=3000, fee=87, currency="EUR").less_fee == 2913
