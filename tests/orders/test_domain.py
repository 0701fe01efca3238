from uuid import uuid4

import pytest
from msgspec.structs import replace

from chassis.errors import Fault
from contracts.accounting import PaymentStatus
from contracts.orders import Channel, PaymentMethod
from orders.domain.orders import (
    MAX_AMOUNT,
    Accounted,
    InvalidOrder,
    Order,
    Status,
    order_id,
    place,
    status_of,
)
from tests.orders.factories import (
    LATER,
    NOW,
    a_line,
    an_order,
    on_terms,
    prepaid,
)


def pointers(order: Order) -> list[str]:
    with pytest.raises(InvalidOrder) as refused:
        place(order)
    return [fault.pointer for fault in refused.value.faults]


def test_an_order_that_adds_up_is_placed():
    order = an_order(a_line(1), a_line(2, discount=300, tax=400))

    assert place(order) is order


def test_a_total_that_differs_is_refused_with_both_figures():
    with pytest.raises(InvalidOrder) as refused:
        place(an_order(total=3559))

    assert refused.value.faults == (
        Fault("/total", "The parts add up to 3558, and not to 3559."),
    )


def test_a_captured_amount_that_differs_is_refused_with_both_figures():
    with pytest.raises(InvalidOrder) as refused:
        place(an_order(payment=prepaid(3557)))

    assert refused.value.faults == (
        Fault("/payment/captured", "The parts add up to 3558, and 3557 was captured."),
    )


def test_a_discount_is_at_most_the_gross():
    place(an_order(a_line(1, discount=2500)))

    assert pointers(an_order(a_line(1), a_line(2, discount=2501))) == [
        "/lines/1/discount"
    ]


def test_terms_are_for_wholesale():
    place(an_order(channel=Channel.WHOLESALE, payment=on_terms()))

    assert pointers(an_order(channel=Channel.WEB, payment=on_terms())) == [
        "/payment/method"
    ]


def test_amounts_fit_in_64_bits_before_discounts_too():
    price = MAX_AMOUNT // 2
    line = a_line(1, quantity=2, unit_price=price, tax=0)
    place(an_order(replace(line, unit_price=price - 583)))

    assert pointers(an_order(line, total=0, payment=prepaid(0)))[0] == "/lines"
    discounted = replace(line, discount=line.gross)
    assert pointers(an_order(discounted)) == ["/lines"]


def test_the_same_client_and_key_are_the_same_order():
    assert order_id("storefront", "key") == order_id("storefront", "key")
    assert len({order_id("a", "b"), order_id("a b", "b"), order_id("a", "bb")}) == 3


def test_a_number_shows_the_channel():
    numbers = [an_order(channel=c, serial=1_000_042).number for c in Channel]

    assert numbers == ["W-1000042", "M-1000042", "B-1000042"]


@pytest.mark.parametrize(
    ("where", "status"),
    [
        ({"pending": 2}, Status.PLACED),
        ({"pending": 1, "reserved": 1}, Status.PLACED),
        ({"pending": 0, "reserved": 1, "backordered": 1}, Status.CONFIRMED),
        ({"pending": 0, "reserved": 1, "cancelled": 1}, Status.CONFIRMED),
        ({"pending": 0, "reserved": 1, "shipped": 1}, Status.PARTIALLY_SHIPPED),
        ({"pending": 0, "shipped": 1, "cancelled": 1}, Status.SHIPPED),
        ({"pending": 0, "shipped": 2, "returned": 2}, Status.SHIPPED),
        ({"pending": 0, "cancelled": 2}, Status.CANCELLED),
    ],
)
def test_the_status_follows_from_where_the_units_are(where, status):
    lines = [a_line(1, **where)]

    assert status_of(lines, rejected=False) is status
    assert status_of(lines, rejected=True) is Status.REJECTED


def test_accounting_has_the_last_word_on_the_payment():
    order = Accounted(
        id=uuid4(),
        version=1,
        placed_at=NOW,
        updated_at=NOW,
        payment_method=PaymentMethod.PREPAID,
        payment_status=PaymentStatus.CAPTURED,
        payment_version=0,
    )

    paid = order.account(2, PaymentStatus.REFUND_PENDING, LATER)

    assert paid.payment_status is PaymentStatus.REFUND_PENDING
    assert (paid.version, paid.updated_at) == (2, LATER)
    assert paid.account(1, PaymentStatus.CAPTURED, LATER) is paid
    assert paid.account(2, PaymentStatus.CAPTURED, LATER) is paid
