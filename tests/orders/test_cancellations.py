from uuid import uuid4

import pytest
from msgspec.structs import replace

from orders.domain.cancellations import (
    MOST_CANCELLATIONS,
    CancellationStatus,
    MoreThanOpen,
    NothingToCancel,
    TooManyCancellations,
    cancellation_id,
    request_cancellation,
)
from orders.domain.facts import CancellationRequested
from orders.domain.lines import Units
from orders.domain.orders import InvalidLines, OrderRejected
from orders.domain.settling import settle
from tests.orders.factories import (
    LATER,
    a_line,
    a_snapshot,
    an_order,
    asking,
    some,
    units,
)


def test_asking_changes_no_units_and_announces_what_is_asked_for():
    placed = an_order(a_line(1, quantity=3), a_line(2))
    id_ = uuid4()

    order, cancellation, (sequence, fact) = request_cancellation(
        placed, some({1: 2}), [], id=id_, reason="Ordered twice", at=LATER
    )

    assert (order.lines, order.status) == (placed.lines, placed.status)
    assert (order.sequence, sequence, cancellation.sequence) == (2, 2, 2)
    assert cancellation.status is CancellationStatus.REQUESTED
    assert fact == CancellationRequested(
        order_id=order.id,
        cancellation_id=id_,
        lines=(Units(line=1, quantity=2),),
        requested_at=LATER,
    )


def test_without_lines_all_open_units_are_asked_for():
    placed = an_order(a_line(1), a_line(2, quantity=3), a_line(3, quantity=1))
    order = settle(
        placed, a_snapshot(units(2, shipped=2), units(3, reserved=1), units(1)), LATER
    ).order

    _, cancellation = asking(order)

    assert [(line.line, line.quantity) for line in cancellation.lines] == [(2, 1)]


def test_what_is_being_cancelled_already_is_not_open_to_another_one():
    order, first = asking(an_order(a_line(quantity=3)), {1: 2})

    _, rest = asking(order, None, [first])
    with pytest.raises(MoreThanOpen) as refused:
        asking(order, {1: 2}, [first])

    assert rest.lines[0].quantity == 1
    (fault,) = refused.value.faults
    assert fault.pointer == "/lines/0/quantity"
    assert fault.detail.startswith("1 units")
    with pytest.raises(NothingToCancel):
        asking(order, None, [first, rest])


@pytest.mark.parametrize(
    ("reserved", "refusal"),
    [(units(2), OrderRejected), (units(2, shipped=2), NothingToCancel)],
)
def test_what_is_over_cannot_be_cancelled(reserved, refusal):
    order = settle(an_order(), a_snapshot(reserved), LATER).order

    with pytest.raises(refusal):
        asking(order, {1: 1})


@pytest.mark.parametrize("wanted", [({2: 1},), ({1: 1}, {1: 1})])
def test_lines_are_the_orders_and_named_once(wanted):
    named = [one for each in wanted for one in some(each)]

    with pytest.raises(InvalidLines) as refused:
        request_cancellation(an_order(), named, [], id=uuid4(), reason=None, at=LATER)

    assert refused.value.faults[0].pointer == f"/lines/{len(named) - 1}/line"


def test_an_order_has_so_many_cancellations_at_most():
    order, cancellation = asking(an_order(), {1: 1})
    others = [replace(cancellation, id=uuid4()) for _ in range(MOST_CANCELLATIONS)]

    with pytest.raises(TooManyCancellations):
        asking(order, None, others)


def test_the_same_key_is_the_same_cancellation_of_one_order():
    order, other = uuid4(), uuid4()

    assert cancellation_id(order, "a", "key") == cancellation_id(order, "a", "key")
    assert cancellation_id(order, "a", "key") != cancellation_id(other, "a", "key")
    assert cancellation_id(order, "a", "key") != cancellation_id(order, "b", "key")
