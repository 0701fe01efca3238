from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.domain.facts import (
    CancellationRefused,
    Cancelled,
    Confirmed,
    DecidedLine,
    Fact,
    Rejected,
    Returned,
    Shipped,
)
from orders.domain.orders import Attention, Status
from orders.domain.settling import settle
from orders.domain.snapshots import Contradiction, ReservedLine
from tests.orders.factories import (
    LATER,
    a_line,
    a_receipt,
    a_shipment,
    a_snapshot,
    an_answer,
    an_order,
    asking,
    units,
)
from tests.orders.settled import settled


def test_enough_stock_confirms_an_order():
    order, facts = settled(an_order(), a_snapshot(units(2, reserved=2)))

    assert order.status is Status.CONFIRMED
    assert (order.decided_at, order.updated_at, order.version) == (LATER, LATER, 2)
    assert (order.lines[0].pending, order.lines[0].reserved) == (0, 2)
    line = DecidedLine(line=1, confirmed=2, short=0)
    assert facts == {2: Confirmed(order_id=order.id, lines=(line,), decided_at=LATER)}
    assert order.sequence == 2


def test_no_stock_rejects_an_order():
    order, facts = settled(an_order(), a_snapshot(units(2)))

    assert order.status is Status.REJECTED
    assert order.lines[0].cancelled == 2
    assert facts == {2: Rejected(order_id=order.id, decided_at=LATER)}


def test_short_units_are_cancelled_and_the_others_confirmed():
    placed = an_order(a_line(1), a_line(2), a_line(3, quantity=5))
    snapshot = a_snapshot(
        units(2, reserved=2), units(2), units(5, reserved=1, backordered=2)
    )

    order, facts = settled(placed, snapshot)

    assert [line.cancelled for line in order.lines] == [0, 2, 2]
    (confirmed,) = facts.values()
    assert isinstance(confirmed, Confirmed)
    assert [(line.confirmed, line.short) for line in confirmed.lines] == [
        (2, 0),
        (0, 2),
        (3, 2),
    ]


def test_an_older_snapshot_changes_nothing():
    order, _ = settled(an_order(), a_snapshot(units(2, reserved=2), version=3))

    for version in (1, 2, 3):
        assert settled(order, a_snapshot(units(2), version=version)) == (order, {})


def test_a_later_snapshot_moves_units_and_decides_nothing_again():
    order, _ = settled(an_order(), a_snapshot(units(2, backordered=2)))

    later, facts = settled(order, a_snapshot(units(2, reserved=2), version=2))

    assert (later.lines[0].reserved, later.lines[0].backordered) == (2, 0)
    assert (later.status, facts) == (Status.CONFIRMED, {})


def test_what_does_not_cover_the_order_yet_does_not_decide_it():
    placed = an_order(a_line(1), a_line(2))

    for snapshot in (
        a_snapshot(),
        a_snapshot(units(2)),
        a_snapshot(units(1), units(2)),
    ):
        order, facts = settled(placed, snapshot)

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
        settle(an_order(), snapshot, LATER)


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
    order, _ = settled(an_order(), a_snapshot(first))

    with pytest.raises(Contradiction):
        settle(order, a_snapshot(second, version=2), LATER)


def test_a_snapshot_that_jumps_tells_every_fact_in_order():
    order, cancellation = asking(an_order(a_line(1, quantity=5)), {1: 1})
    order, refused = asking(order, {1: 4}, [cancellation])
    first, second = a_shipment({1: 3}), a_shipment({1: 1})
    receipt = a_receipt({1: 2})

    done = settle(
        order,
        a_snapshot(
            units(5, shipped=4, released=1, returned=2),
            version=7,
            answers=(an_answer(cancellation, {1: 1}), an_answer(refused, {})),
            shipments=(first, second),
            receipts=(receipt,),
        ),
        LATER,
        cancellations=[cancellation, refused],
    )

    assert [type(fact) for fact in done.facts.values()] == [
        Confirmed,
        Cancelled,
        CancellationRefused,
        Shipped,
        Shipped,
        Returned,
    ]
    assert list(done.facts) == list(range(4, 10))
    assert done.order.sequence == 9
    assert done.order.status is Status.SHIPPED


def test_a_decision_ends_the_attention():
    order = an_order(overdue=Attention.UNDECIDED, rescue_at=LATER)

    order, _ = settled(order, a_snapshot(units(2, reserved=2)))

    assert (order.attention, order.rescue_at) == (None, None)


@pytest.mark.parametrize(
    "snapshot",
    [
        a_snapshot(units(2, shipped=2), shipments=()),
        a_snapshot(units(2, reserved=1, shipped=1), shipments=(a_shipment({1: 2}),)),
        a_snapshot(units(2, shipped=2), shipments=(a_shipment({3: 2}),)),
        a_snapshot(
            units(2, shipped=2), shipments=(a_shipment({1: 3}), a_shipment({1: -1}))
        ),
        a_snapshot(units(2, shipped=2, returned=1), receipts=()),
        a_snapshot(units(2, released=2)),
    ],
)
def test_figures_that_do_not_add_up_are_not_taken_over(snapshot):
    with pytest.raises(Contradiction):
        settle(an_order(), snapshot, LATER)


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
    places = st.lists(st.sampled_from(["reserved", "backordered", "shipped"]))
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
            order, news = settled(order, snapshot)
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

    assert sorted(facts) == list(range(2, order.sequence + 1))
    decisions = [f for f in facts.values() if isinstance(f, Confirmed | Rejected)]
    assert len(decisions) == (order.decided_at is not None)
