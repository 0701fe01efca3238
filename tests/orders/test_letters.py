from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from msgspec import structs

from chassis.aside import Aside
from contracts import inventory
from orders.domain.orders import Attention, Order
from orders.handlers.letters import mark_orders, mark_own
from orders.store import orders as store
from tests.orders.factories import NOW, an_order, arrived


@pytest.fixture
async def order(tx) -> Order:
    (placed,) = await store.add(tx, [an_order()])
    return placed


def a_letter(order: Order, *, waits: bool = True, minute: int = 0, **changes: object):
    letter = inventory.DeadLetterChanged(
        order_id=order.id,
        event_id=uuid4(),
        event_type="orders.order_placed.v1",
        queue="orderly-inventory-from-orders",
        waits=waits,
        changed_at=NOW + timedelta(minutes=minute),
    )
    return structs.replace(letter, **changes)


async def attention(tx, order: Order) -> Attention | None:
    found = await store.get_many(tx, [order.id])
    return found[order.id].attention


async def test_an_order_shows_that_an_event_about_it_is_stuck(tx, order):
    await mark_orders(tx, arrived(a_letter(order)))

    assert await attention(tx, order) is Attention.EVENT_STUCK


async def test_it_is_over_once_the_event_was_handled(tx, order):
    stuck = a_letter(order)
    handled = a_letter(order, waits=False, minute=1, event_id=stuck.event_id)
    await mark_orders(tx, arrived(stuck))

    await mark_orders(tx, arrived(handled))

    assert await attention(tx, order) is None


@pytest.mark.parametrize("at_once", [True, False])
async def test_that_it_was_handled_may_be_heard_first(tx, order, at_once):
    stuck = a_letter(order)
    handled = a_letter(order, waits=False, minute=1, event_id=stuck.event_id)

    for told in [[handled, stuck]] if at_once else [[handled], [stuck]]:
        await mark_orders(tx, arrived(*told))

    assert await attention(tx, order) is None


async def test_it_lasts_until_the_last_letter_is_handled(tx, order):
    one, other = a_letter(order), a_letter(order)
    elsewhere = replace_queue(one)
    await mark_orders(tx, arrived(one, other, elsewhere))

    for letter in (one, other):
        handled = {"waits": False, "changed_at": NOW + timedelta(minutes=1)}
        await mark_orders(tx, arrived(structs.replace(letter, **handled)))

    assert await attention(tx, order) is Attention.EVENT_STUCK


def replace_queue(letter):
    return structs.replace(letter, queue="orderly-accounting-from-orders")


async def test_what_is_overdue_shows_again_afterwards(tx, order):
    letter = a_letter(order)
    await mark_orders(tx, arrived(letter))
    (held,) = (await store.get_many(tx, [order.id])).values()
    await store.save(tx, [structs.replace(held, overdue=Attention.UNDECIDED)])
    assert await attention(tx, order) is Attention.EVENT_STUCK

    handled = {"waits": False, "changed_at": NOW + timedelta(minutes=1)}
    await mark_orders(tx, arrived(structs.replace(letter, **handled)))

    assert await attention(tx, order) is Attention.UNDECIDED


async def test_letters_about_orders_that_were_never_placed_change_nothing(tx):
    await mark_orders(tx, arrived(a_letter(an_order())))


async def test_what_orders_itself_puts_aside_shows_too(tx, order):
    aside = Aside(
        event_id=uuid4(),
        type="inventory.reservation_changed.v1",
        subject=str(order.id),
        queue="orderly-orders-from-inventory",
        waits=True,
        at=NOW,
    )

    await mark_own(tx, [aside, replace(aside, subject="SOAP-5L")])

    assert await attention(tx, order) is Attention.EVENT_STUCK
