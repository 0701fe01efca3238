import pytest

from orders.domain.facts import Returned, Shipped
from orders.domain.orders import Status
from orders.domain.settling import settle
from orders.domain.snapshots import Contradiction
from tests.orders.factories import (
    LATER,
    NOW,
    a_receipt,
    a_shipment,
    a_snapshot,
    an_order,
    authorising,
    units,
)
from tests.orders.settled import settled


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


def test_a_list_that_has_become_shorter_is_not_believed():
    parts = (a_shipment({1: 1}), a_shipment({1: 1}))
    order, _ = settled(an_order(), a_snapshot(units(2, shipped=2), shipments=parts))

    with pytest.raises(Contradiction):
        settled(order, a_snapshot(units(2, shipped=2), version=2))
