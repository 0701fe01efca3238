from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Fault
from contracts.accounting import PaymentStatus
from contracts.orders import Channel
from orders.domain.orders import (
    MAX_AMOUNT,
    Confirmed,
    Contradiction,
    DecidedLine,
    Fact,
    InvalidOrder,
    Order,
    Rejected,
    ReservedLine,
    Status,
    order_id,
    place,
    status_of,
)
from tests.orders.factories import (
    LATER,
    a_line,
    a_snapshot,
    an_order,
    on_terms,
    prepaid,
    units,
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


def test_enough_stock_confirms_an_order():
    order, facts = an_order().settle(a_snapshot(units(2, reserved=2)), LATER)

    assert order.status is Status.CONFIRMED
    assert (order.decided_at, order.updated_at, order.version) == (LATER, LATER, 2)
    assert (order.lines[0].pending, order.lines[0].reserved) == (0, 2)
    line = DecidedLine(line=1, confirmed=2, short=0)
    assert facts == {2: Confirmed(order_id=order.id, lines=(line,), decided_at=LATER)}
    assert order.sequence == 2


def test_no_stock_rejects_an_order():
    order, facts = an_order().settle(a_snapshot(units(2)), LATER)

    assert order.status is Status.REJECTED
    assert order.lines[0].cancelled == 2
    assert facts == {2: Rejected(order_id=order.id, decided_at=LATER)}


def test_short_units_are_cancelled_and_the_others_confirmed():
    placed = an_order(a_line(1), a_line(2), a_line(3, quantity=5))
    snapshot = a_snapshot(
        units(2, reserved=2), units(2), units(5, reserved=1, backordered=2)
    )

    order, facts = placed.settle(snapshot, LATER)

    assert [line.cancelled for line in order.lines] == [0, 2, 2]
    (confirmed,) = facts.values()
    assert isinstance(confirmed, Confirmed)
    assert [(line.confirmed, line.short) for line in confirmed.lines] == [
        (2, 0),
        (0, 2),
        (3, 2),
    ]


def test_units_released_before_the_decision_count_as_confirmed():
    order, facts = an_order().settle(a_snapshot(units(2, released=2)), LATER)

    assert order.status is Status.CANCELLED
    assert [type(fact) for fact in facts.values()] == [Confirmed]


def test_an_older_snapshot_changes_nothing():
    order, _ = an_order().settle(a_snapshot(units(2, reserved=2), version=3), LATER)

    for version in (1, 2, 3):
        assert order.settle(a_snapshot(units(2), version=version), LATER) == (order, {})


def test_a_later_snapshot_moves_units_and_decides_nothing_again():
    order, _ = an_order().settle(a_snapshot(units(2, backordered=2)), LATER)

    later, facts = order.settle(a_snapshot(units(2, reserved=2), version=2), LATER)

    assert (later.lines[0].reserved, later.lines[0].backordered) == (2, 0)
    assert (later.status, facts) == (Status.CONFIRMED, {})


def test_what_does_not_cover_the_order_yet_does_not_decide_it():
    placed = an_order(a_line(1), a_line(2))

    for snapshot in (
        a_snapshot(),
        a_snapshot(units(2)),
        a_snapshot(units(1), units(2)),
    ):
        order, facts = placed.settle(snapshot, LATER)

        assert (order.status, order.lines, facts) == (Status.PLACED, placed.lines, {})
        assert order.reservation_version == 1


@pytest.mark.parametrize(
    "snapshot",
    [
        a_snapshot(units(2, reserved=2), units(1, reserved=1)),
        a_snapshot(units(3, reserved=3)),
        a_snapshot(units(2, reserved=3)),
        a_snapshot(units(2, reserved=3, backordered=-1)),
        a_snapshot(units(2, shipped=1, returned=2)),
        a_snapshot(units(2, reserved=2, released=1)),
    ],
)
def test_what_cannot_be_true_of_the_order_is_not_taken_over(snapshot):
    with pytest.raises(Contradiction):
        an_order().settle(snapshot, LATER)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (units(2), units(2, reserved=1)),
        (units(2, shipped=2), units(2, shipped=1, reserved=1)),
        (units(2, shipped=2, returned=2), units(2, shipped=2, returned=1)),
        (units(2, reserved=1), units(2, reserved=2)),
        (units(2, reserved=1), units(1, reserved=1)),
    ],
)
def test_a_decided_order_never_goes_back(first, second):
    order, _ = an_order().settle(a_snapshot(first), LATER)

    with pytest.raises(Contradiction):
        order.settle(a_snapshot(second, version=2), LATER)


def test_accounting_has_the_last_word_on_the_payment():
    order = an_order().account(2, PaymentStatus.REFUND_PENDING, LATER)

    assert order.payment.status is PaymentStatus.REFUND_PENDING
    assert (order.version, order.updated_at) == (2, LATER)
    assert order.account(1, PaymentStatus.CAPTURED, LATER) is order
    assert order.account(2, PaymentStatus.CAPTURED, LATER) is order


@st.composite
def reserved_lines(draw: st.DrawFn, quantity: int) -> ReservedLine:
    """Mostly what might be true of a line, now and then what cannot be."""
    if draw(st.integers(0, 9)) == 0:
        wild = st.integers(-1, quantity + 1)
        return ReservedLine(
            requested=draw(wild),
            reserved=draw(wild),
            backordered=draw(wild),
            shipped=draw(wild),
            released=draw(wild),
            returned=draw(wild),
        )
    places = st.lists(
        st.sampled_from(["reserved", "backordered", "shipped", "released"])
    )
    where = Counter(draw(places.map(lambda found: found[:quantity])))
    returned = draw(st.integers(0, where["shipped"]))
    return units(quantity, **where, returned=returned)


snapshots = st.builds(
    lambda version, *lines: a_snapshot(*lines, version=version),
    st.integers(1, 8),
    reserved_lines(3),
    reserved_lines(2),
)


@given(st.lists(snapshots, max_size=12))
def test_whatever_is_said_units_add_up_and_an_order_is_decided_once(heard):
    order = an_order(a_line(1, quantity=3), a_line(2, quantity=2))
    facts: dict[int, Fact] = {}
    for snapshot in heard:
        before = order
        try:
            order, news = order.settle(snapshot, LATER)
        except Contradiction:
            continue
        assert not facts.keys() & news.keys()
        facts |= news
        assert order.reservation_version >= before.reservation_version
        if before.status is Status.REJECTED:
            assert order.status is Status.REJECTED
        for line in order.lines:
            assert line.open + line.shipped + line.cancelled == line.quantity
            assert 0 <= line.returned <= line.shipped
            assert min(line.pending, line.reserved, line.backordered) >= 0
            assert line.cancelled >= 0

    assert order.sequence == 1 + len(facts)
    assert sorted(facts) == list(range(2, order.sequence + 1))
    assert len(facts) == (order.decided_at is not None)
