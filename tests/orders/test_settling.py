from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.domain.cancellations import CancellationStatus
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
from orders.domain.lines import Units
from orders.domain.orders import Attention, Order, Status
from orders.domain.settling import settle
from orders.domain.snapshots import Contradiction, ReservedLine, Snapshot
from tests.orders.factories import (
    LATER,
    NOW,
    a_line,
    a_receipt,
    a_shipment,
    a_snapshot,
    an_answer,
    an_order,
    asking,
    authorising,
    units,
)


def settled(order: Order, snapshot: Snapshot) -> tuple[Order, Mapping[int, Fact]]:
    done = settle(order, snapshot, LATER)
    return done.order, done.facts


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


def test_an_order_cancelled_before_it_was_decided_is_confirmed_first():
    order, cancellation = asking(an_order())
    answer = an_answer(cancellation, {1: 2})

    done = settle(
        order,
        a_snapshot(units(2, released=2), answers=(answer,)),
        LATER,
        cancellations=[cancellation],
    )

    assert done.order.status is Status.CANCELLED
    confirmed, cancelled = done.facts.values()
    assert isinstance(confirmed, Confirmed)
    assert confirmed.lines == (DecidedLine(line=1, confirmed=2, short=0),)
    assert cancelled == Cancelled(
        order_id=order.id,
        cancellation_id=cancellation.id,
        lines=(Units(line=1, quantity=2),),
        complete=True,
        cancelled_at=LATER,
    )
    assert list(done.facts) == [3, 4]


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


def test_each_shipment_is_a_fact_with_its_cost():
    order, _ = settled(an_order(), a_snapshot(units(2, reserved=2)))
    shipment = a_shipment({1: 1})

    order, facts = settled(
        order,
        a_snapshot(units(2, reserved=1, shipped=1), version=2, shipments=(shipment,)),
    )

    assert order.status is Status.PARTIALLY_SHIPPED
    assert facts == {
        3: Shipped(
            order_id=order.id,
            shipment_id=shipment.shipment_id,
            carrier="DHL",
            tracking="JD014600",
            lines=shipment.lines,
            shipped_at=NOW,
        )
    }


def test_what_was_told_of_a_list_is_not_told_again():
    first, second = a_shipment({1: 1}), a_shipment({1: 1})
    snapshot = a_snapshot(units(2, reserved=1, shipped=1), shipments=(first,))
    order, _ = settled(an_order(), snapshot)

    order, facts = settled(
        order,
        a_snapshot(units(2, shipped=2), version=2, shipments=(first, second)),
    )

    (fact,) = facts.values()
    assert isinstance(fact, Shipped)
    assert fact.shipment_id == second.shipment_id


def test_receipts_of_a_return_add_up():
    order, _ = settled(an_order(), a_snapshot(units(2, shipped=2)))
    order, authorised = authorising(order, {1: 2})
    parts = [a_receipt({1: 1}, return_id=authorised.id) for _ in range(2)]

    done = settle(
        order,
        a_snapshot(units(2, shipped=2, returned=2), version=2, receipts=tuple(parts)),
        LATER,
        returns=[authorised],
    )

    (received,) = done.returns
    assert (received.received_at, received.lines[0].received) == (NOW, 2)
    assert [type(fact) for fact in done.facts.values()] == [Returned, Returned]


def test_goods_that_come_unannounced_are_a_return_too():
    order, _ = settled(an_order(), a_snapshot(units(2, shipped=2)))
    receipt = a_receipt({1: 1})

    done = settle(
        order,
        a_snapshot(units(2, shipped=2, returned=1), version=2, receipts=(receipt,)),
        LATER,
    )

    (received,) = done.returns
    assert (received.id, received.authorised_at) == (receipt.return_id, None)
    assert (received.lines[0].quantity, received.lines[0].received) == (0, 1)


def test_what_was_short_does_not_make_a_cancellation_incomplete():
    order, cancellation = asking(an_order(a_line(quantity=3)))
    answer = an_answer(cancellation, {1: 1})

    done = settle(
        order,
        a_snapshot(units(3, released=1), answers=(answer,)),
        LATER,
        cancellations=[cancellation],
    )

    assert done.cancellations[0].status is CancellationStatus.COMPLETED


def test_what_had_shipped_makes_a_cancellation_incomplete():
    order, _ = settled(an_order(), a_snapshot(units(2, reserved=2)))
    order, cancellation = asking(order)
    answer = an_answer(cancellation, {1: 1})

    done = settle(
        order,
        a_snapshot(units(2, shipped=1, released=1), version=2, answers=(answer,)),
        LATER,
        cancellations=[cancellation],
    )

    (partly,) = done.cancellations
    assert partly.status is CancellationStatus.PARTLY_COMPLETED
    assert [line.cancelled for line in partly.lines] == [1]
    (cancelled,) = [f for f in done.facts.values() if isinstance(f, Cancelled)]
    assert not cancelled.complete


def test_short_units_excuse_one_cancellation_and_not_the_next():
    placed = an_order(a_line(1, quantity=3), a_line(2, quantity=2))
    order, first = asking(placed, {1: 1, 2: 1})
    order, second = asking(order, {1: 2, 2: 1}, [first])
    answers = (an_answer(first, {2: 1}), an_answer(second, {2: 1}))

    done = settle(
        order,
        a_snapshot(units(3, shipped=1), units(2, released=2), answers=answers),
        LATER,
        cancellations=[first, second],
    )

    assert [c.status for c in done.cancellations] == [
        CancellationStatus.COMPLETED,
        CancellationStatus.PARTLY_COMPLETED,
    ]


def test_several_cancellations_may_be_open_and_are_answered_each():
    order, _ = settled(an_order(a_line(quantity=3)), a_snapshot(units(3, reserved=3)))
    order, first = asking(order, {1: 1})
    order, second = asking(order, {1: 1}, [first])

    done = settle(
        order,
        a_snapshot(
            units(3, reserved=2, released=1),
            version=2,
            answers=(an_answer(second, {1: 1}),),
        ),
        LATER,
        cancellations=[first, second],
    )

    assert [c.id for c in done.cancellations] == [second.id]
    assert done.order.status is Status.CONFIRMED


def test_an_answer_that_decides_the_last_cancellation_ends_the_attention():
    order, _ = settled(an_order(), a_snapshot(units(2, reserved=2)))
    order, first = asking(order, {1: 1})
    order, second = asking(order, {1: 1}, [first])
    order = replace(order, overdue=Attention.CANCELLATION_OPEN)
    answers = (an_answer(first, {1: 1}), an_answer(second, {1: 1}))

    one = settle(
        order,
        a_snapshot(units(2, reserved=1, released=1), version=2, answers=answers[:1]),
        LATER,
        cancellations=[first, second],
    )
    both = settle(
        order,
        a_snapshot(units(2, released=2), version=2, answers=answers),
        LATER,
        cancellations=[first, second],
    )

    assert one.order.attention is Attention.CANCELLATION_OPEN
    assert both.order.attention is None


def test_a_decision_ends_the_attention():
    order = an_order(overdue=Attention.UNDECIDED, rescue_at=LATER)

    order, _ = settled(order, a_snapshot(units(2, reserved=2)))

    assert (order.attention, order.rescue_at) == (None, None)


def test_an_answer_to_nobody_is_not_believed():
    _, cancellation = asking(an_order())
    answer = an_answer(cancellation, {1: 2})
    snapshot = a_snapshot(units(2, released=2), answers=(answer,))

    with pytest.raises(Contradiction):
        settle(an_order(), snapshot, LATER)


def test_more_than_was_asked_for_cannot_be_released():
    order, cancellation = asking(an_order(), {1: 1})
    answer = an_answer(cancellation, {1: 2})
    snapshot = a_snapshot(units(2, released=2), answers=(answer,))

    with pytest.raises(Contradiction):
        settle(order, snapshot, LATER, cancellations=[cancellation])


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


def test_a_list_that_has_become_shorter_is_not_believed():
    parts = (a_shipment({1: 1}), a_shipment({1: 1}))
    order, _ = settled(an_order(), a_snapshot(units(2, shipped=2), shipments=parts))

    with pytest.raises(Contradiction):
        settled(order, a_snapshot(units(2, shipped=2), version=2))


def test_a_cancellation_that_overtook_its_order_waits_for_it():
    placed = an_order(a_line(1), a_line(2))
    order, cancellation = asking(placed, {1: 1})
    tombstone = a_snapshot(
        units(1, released=1), answers=(an_answer(cancellation, {1: 1}),)
    )

    waiting = settle(order, tombstone, LATER, cancellations=[cancellation])

    assert (waiting.order.status, waiting.facts) == (Status.PLACED, {})
    assert waiting.cancellations == ()
    assert waiting.order.answers_announced == 0


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
