import pytest

from inventory.domain.products import UnknownProduct
from tests.inventory.factories import a_delivery, a_known_product


def test_goods_are_valued_at_what_was_paid_and_at_what_they_are_worth():
    receipt = a_delivery(("A", 3), unit_cost=650).valued({"A": a_known_product("A")})

    assert (receipt.lines[0].unit_cost, receipt.lines[0].standard_cost) == (650, 700)


def test_goods_without_a_price_cost_what_they_are_worth():
    receipt = a_delivery(("A", 3)).valued({"A": a_known_product("A")})

    assert receipt.lines[0].unit_cost == 700


def test_goods_that_nobody_described_are_named_with_their_line():
    delivery = a_delivery(("A", 3), ("B", 1), ("C", 1))

    with pytest.raises(UnknownProduct) as refused:
        delivery.valued({"B": a_known_product("B")})

    assert [fault.pointer for fault in refused.value.faults] == [
        "/lines/0/sku",
        "/lines/2/sku",
    ]
