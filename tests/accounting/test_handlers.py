"""What Orders announces, as it ends up in a real database."""

from typing import ClassVar
from uuid import UUID

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from accounting.domain.lines import Inconsistent
from accounting.handlers.facts import read_order
from accounting.handlers.orders import post_orders
from accounting.schema import documents, order_cursors, orders, refunds
from accounting.store.orders import columns_of, get
from chassis.events import Announcement, Event
from contracts.accounting import PaymentPosition, PaymentStatus, RefundRequested
from contracts.inventory import Condition
from tests.accounting.booked import parked, rules_of
from tests.accounting.factories import (
    TERMS,
    UNEVEN,
    a_line,
    an_order,
    confirmed,
    facts_of,
    rejected,
    returned,
    shipped,
    story,
)


class OrderAdmired(Event, frozen=True, kw_only=True):
    """A fact that no rule is about."""

    type: ClassVar[str] = "orders.order_admired.v1"

    order_id: UUID


async def test_an_order_is_stored_as_it_was_placed_and_decided(tx):
    placed = an_order(UNEVEN, a_line(2))

    await post_orders(tx, story(placed, confirmed(placed, short={1: 1})))

    order = (await get(tx, [placed.order_id]))[placed.order_id]
    assert [(line.sku, line.quantity, line.short) for line in order.lines] == [
        ("SOAP", 3, 1),
        ("SKU-2", 2, 0),
    ]
    assert order.ordered.total == placed.total
    assert (await tx.scalar(select(orders.c.ship_to)))["city"] == "Cork"
    assert order.position.status is PaymentStatus.REFUND_PENDING


async def test_facts_may_come_one_by_one(tx):
    placed = an_order(UNEVEN)

    for fact in story(placed, confirmed(placed, short={1: 1})):
        await post_orders(tx, [fact])

    assert await rules_of(tx, placed.order_id) == [
        "order_placed",
        "order_confirmed",
        "order_confirmed_short",
    ]


async def test_a_refund_is_announced_with_the_order_s_position(tx, published):
    placed = an_order()

    await post_orders(tx, story(placed, rejected(placed)))

    refund_id = (await tx.execute(select(refunds.c.id))).scalar_one()
    position = PaymentPosition(version=2, status=PaymentStatus.REFUND_PENDING)
    refund = RefundRequested(
        order_id=placed.order_id,
        refund_id=refund_id,
        amount=3558,
        currency="EUR",
        provider="acme-pay",
        reference="pay_77",
        payment=position,
    )
    assert await published() == [Announcement(refund, str(placed.order_id))]


async def test_an_early_fact_waits_for_the_one_before_it(tx):
    placed = an_order()
    first, second = story(placed, confirmed(placed))

    await post_orders(tx, [second])
    assert await parked(tx) == [2]
    assert await rules_of(tx, placed.order_id) == []

    await post_orders(tx, [first])
    assert await parked(tx) == []
    assert await rules_of(tx, placed.order_id) == ["order_placed", "order_confirmed"]


async def test_a_sequence_is_applied_once_under_whatever_id_it_comes(tx):
    placed = an_order()
    facts = story(placed, rejected(placed))

    await post_orders(tx, facts)
    await post_orders(tx, story(placed, rejected(placed)))

    assert await rules_of(tx, placed.order_id) == ["order_placed", "order_rejected"]


async def test_a_fact_without_a_rule_takes_its_place(tx):
    placed = an_order()
    admired = OrderAdmired(order_id=placed.order_id)
    first, second, third = facts_of(placed.order_id, placed, admired, confirmed(placed))

    await post_orders(tx, [third, first])
    assert await rules_of(tx, placed.order_id) == ["order_placed"]
    await post_orders(tx, [second])

    assert await rules_of(tx, placed.order_id) == ["order_placed", "order_confirmed"]
    assert (await tx.execute(select(order_cursors.c.applied))).scalars().all() == [3]


async def test_a_fact_that_cannot_be_true_is_not_booked(tx):
    placed = an_order()

    with pytest.raises(Inconsistent):
        await post_orders(tx, facts_of(placed.order_id, rejected(placed)))


async def test_credit_notes_lessen_what_is_open_the_oldest_invoice_first(tx):
    placed = an_order(a_line(quantity=4, tax=0), payment=TERMS)
    comes_back = returned(placed, (1, 3, Condition.RESELLABLE))

    await post_orders(
        tx,
        story(
            placed,
            confirmed(placed),
            shipped(placed, {1: 1}),
            shipped(placed, {1: 3}),
            comes_back,
        ),
    )

    found = await tx.execute(
        select(documents.c.series, documents.c.total, documents.c.credited).order_by(
            documents.c.id
        )
    )
    # The first invoice has the shipping with its tax: 583.
    assert [tuple(row) for row in found] == [
        ("INV", 1833, 1833),
        ("INV", 3750, 1917),
        ("CRN", 3750, 3750),
    ]


def test_an_order_that_is_new_says_where_it_goes():
    order = replace(read_order(an_order()), ship_to=None)

    with pytest.raises(ValueError, match="where it goes"):
        columns_of({}, [order])
