from datetime import timedelta
from uuid import uuid4

import pytest
from msgspec.structs import replace

from orders.domain.facts import ReturnAuthorised
from orders.domain.lines import Units
from orders.domain.orders import InvalidLines, Order, OrderRejected
from orders.domain.returns import (
    MOST_RETURNS,
    VALID_FOR,
    MoreThanShipped,
    NothingToReturn,
    ReturnStatus,
    TooManyReturns,
    authorise_return,
)
from orders.domain.settling import settle
from tests.orders.factories import (
    LATER,
    a_line,
    a_receipt,
    a_snapshot,
    an_order,
    authorising,
    some,
    units,
)


def shipped(quantity: int = 2, **where: int) -> Order:
    placed = an_order(a_line(quantity=quantity))
    reserved = units(quantity, **(where or {"shipped": quantity}))
    return settle(placed, a_snapshot(reserved), LATER).order


def test_what_has_shipped_may_come_back_within_30_days():
    id_ = uuid4()

    order, authorised, (sequence, fact) = authorise_return(
        shipped(), some({1: 1}), [], id=id_, reason=None, at=LATER
    )

    assert authorised.expires_at == LATER + timedelta(days=30)
    assert (order.sequence, sequence) == (4, 4)
    assert fact == ReturnAuthorised(
        order_id=order.id,
        return_id=id_,
        lines=(Units(line=1, quantity=1),),
        authorised_at=LATER,
        expires_at=LATER + timedelta(days=30),
    )


def test_no_more_may_come_back_than_has_shipped_and_is_not_on_its_way():
    order, first = authorising(shipped(3, shipped=2, reserved=1), {1: 1})

    authorising(order, {1: 1}, [first])
    with pytest.raises(MoreThanShipped) as refused:
        authorising(order, {1: 2}, [first])

    assert refused.value.faults[0].detail.startswith("1 units")


def test_what_has_come_back_cannot_come_back_again():
    with pytest.raises(MoreThanShipped):
        authorising(shipped(2, shipped=2, returned=1), {1: 2})


def test_an_expired_return_frees_its_units():
    order, expired = authorising(shipped(), {1: 2})
    past = replace(expired, expires_at=LATER)

    authorising(order, {1: 2}, [past])

    assert past.status(LATER) is ReturnStatus.EXPIRED
    assert expired.status(LATER + VALID_FOR) is ReturnStatus.EXPIRED
    assert expired.status(LATER) is ReturnStatus.AUTHORISED


def test_a_return_of_which_a_part_came_frees_the_rest():
    order, authorised = authorising(shipped(), {1: 2})
    receipt = a_receipt({1: 1}, return_id=authorised.id)

    done = settle(
        order,
        a_snapshot(units(2, shipped=2, returned=1), version=2, receipts=(receipt,)),
        LATER,
        returns=[authorised],
    )

    assert done.returns[0].status(LATER + VALID_FOR) is ReturnStatus.RECEIVED
    authorising(done.order, {1: 1}, done.returns)


def test_what_comes_of_a_line_that_was_not_announced_is_taken_too():
    _, authorised = authorising(shipped(), {1: 1})

    received = authorised.received(a_receipt({2: 1, 1: 1}))

    assert [(n.line, n.quantity, n.received) for n in received.lines] == [
        (1, 1, 1),
        (2, 0, 1),
    ]


@pytest.mark.parametrize(
    ("reserved", "refusal"),
    [(units(2), OrderRejected), (units(2, reserved=2), NothingToReturn)],
)
def test_what_has_not_left_cannot_come_back(reserved, refusal):
    order = settle(an_order(), a_snapshot(reserved), LATER).order

    with pytest.raises(refusal):
        authorising(order, {1: 1})


def test_only_lines_of_the_order_come_back():
    with pytest.raises(InvalidLines):
        authorising(shipped(), {2: 1})


def test_an_order_has_so_many_returns_at_most():
    order, authorised = authorising(shipped(), {1: 1})
    others = [replace(authorised, id=uuid4()) for _ in range(MOST_RETURNS)]

    with pytest.raises(TooManyReturns):
        authorising(order, {1: 1}, others)
