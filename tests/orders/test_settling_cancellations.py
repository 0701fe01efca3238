import pytest
from msgspec.structs import replace

from orders.domain.cancellations import CancellationStatus
from orders.domain.facts import Cancelled, Confirmed, DecidedLine
from orders.domain.lines import Units
from orders.domain.orders import Attention, Status
from orders.domain.settling import settle
from orders.domain.snapshots import Contradiction
from tests.orders.factories import (
    LATER,
    a_line,
    a_snapshot,
    an_answer,
    an_order,
    asking,
    units,
)
from tests.orders.settled import settled


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
