import asyncio

import pytest
from msgspec.structs import replace
from sqlalchemy import text, update
from sqlalchemy.exc import IntegrityError

from chassis.database import DatabaseUnavailable, Tx
from chassis.testing import statements_of
from contracts.accounting import PaymentStatus
from contracts.orders import Channel
from orders.domain.settling import settle
from orders.schema import order_lines, orders
from orders.store import orders as store
from tests.locks import until_somebody_waits
from tests.orders.factories import (
    LATER,
    a_line,
    a_snapshot,
    an_order,
    on_terms,
    prepaid,
    units,
)


async def test_an_order_is_read_as_it_was_written(tx):
    asked = [
        an_order(a_line(1, tax_rate=None), a_line(2, quantity=3)),
        an_order(channel=Channel.WHOLESALE, payment=on_terms(), reference=None),
    ]

    added = await store.add(tx, asked)

    assert await store.get_many(tx, [order.id for order in asked]) == {
        order.id: order for order in added
    }
    assert {replace(order, serial=None) for order in added} == set(asked)


async def test_numbers_start_at_1000001_and_are_unique(database):
    async with database.begin() as tx:
        added = await store.add(tx, [an_order() for _ in range(3)])

    assert {order.serial for order in added} == {1_000_001, 1_000_002, 1_000_003}


async def test_only_orders_with_a_new_id_and_payment_are_added(tx):
    (first,) = await store.add(tx, [an_order()])
    same_id = an_order(id=first.id)
    same_payment = an_order(payment=first.payment)
    new = an_order()

    added = await store.add(tx, [same_id, same_payment, new])

    assert [order.id for order in added] == [new.id]
    found = await store.get_many(tx, [first.id, same_payment.id])
    assert found == {first.id: first}


async def test_an_order_and_its_lines_are_read_by_one_statement(tx):
    placed = await store.add(tx, [an_order(a_line(1), a_line(2)), an_order()])

    async with statements_of(tx) as asked:
        await store.get_many(tx, [order.id for order in placed])

    assert len(asked) == 1  # or they could be of two moments


async def test_who_waited_for_an_order_has_its_lines_as_they_are_then(database):
    async with database.begin() as tx:
        (order,) = await store.add(tx, [an_order()])

    async with database.begin() as tx:
        await store.get_for_update(tx, {order.id})
        waiting = asyncio.create_task(
            database.transact(store.get_for_update, {order.id})
        )
        await until_somebody_waits(database)
        settled = settle(order, a_snapshot(units(2, reserved=2)), LATER).order
        await store.save_settled(tx, [settled])

    assert await waiting == {order.id: settled}


async def test_orders_on_terms_need_no_payment_of_their_own(tx):
    on_account = {"channel": Channel.WHOLESALE, "payment": on_terms()}

    added = await store.add(tx, [an_order(**on_account), an_order(**on_account)])

    assert len(added) == 2


async def test_orders_are_found_by_their_payment(tx):
    wanted, _ = await store.add(tx, [an_order(), an_order()])
    unused = prepaid(1)

    found = await store.find_by_payment(tx, {wanted.payment.key, unused.key})

    assert found == {wanted.payment.key: wanted}
    assert await store.find_by_payment(tx, set()) == {}


async def test_decided_orders_are_found_among_those_waited_for(tx):
    placed, waiting = await store.add(tx, [an_order(), an_order()])
    decided = settle(placed, a_snapshot(units(2, reserved=2)), LATER).order
    await store.save(tx, [decided])

    found = await store.find_decided(tx, {str(placed.id), str(waiting.id)})

    assert found == {str(placed.id)}


async def test_what_changes_of_an_order_is_saved(tx):
    placed, bystander = await store.add(tx, [an_order(), an_order()])
    settled = settle(placed, a_snapshot(units(2, reserved=1)), LATER).order

    await store.save_settled(tx, [settled])

    found = await store.get_many(tx, [placed.id, bystander.id])
    assert found == {placed.id: settled, bystander.id: bystander}


async def test_orders_that_are_saved_together_need_not_stand_alike(tx):
    asked = [an_order(a_line(1), a_line(2)) for _ in range(4)]
    placed = await store.add(tx, asked)
    answers = [
        a_snapshot(units(2, reserved=2), units(2, reserved=2)),
        a_snapshot(units(2, reserved=2), units(2, backordered=2)),
        a_snapshot(units(2), units(2)),
        a_snapshot(units(2, reserved=2), units(2, reserved=2)),
    ]
    settled = [
        settle(order, answer, LATER).order
        for order, answer in zip(placed, answers, strict=True)
    ]

    await store.save_settled(tx, settled)

    assert len({order.status for order in settled}) == 2
    found = await store.get_many(tx, [order.id for order in placed])
    assert found == {order.id: order for order in settled}


async def test_what_changes_of_a_payment_is_saved(tx):
    placed, bystander = await store.add(tx, [an_order(), an_order()])
    held = await store.get_accounted_for_update(tx, [placed.id])
    changed = held[placed.id].account(4, PaymentStatus.PARTLY_REFUNDED, LATER)

    await store.save_accounted(tx, [changed])

    found = await store.get_many(tx, [placed.id, bystander.id])
    payment = replace(placed.payment, version=4, status=PaymentStatus.PARTLY_REFUNDED)
    paid = placed.changed(LATER, payment=payment)
    assert found == {placed.id: paid, bystander.id: bystander}


async def test_who_holds_an_order_keeps_others_waiting(database):
    async with database.begin() as tx:
        (order,) = await store.add(tx, [an_order()])

    async def impatiently(tx: Tx) -> None:
        await tx.execute(text("SET LOCAL lock_timeout = '50ms'"))
        await store.get_for_update(tx, {order.id})

    async with database.begin() as holder:
        await store.get_for_update(holder, {order.id})
        with pytest.raises(DatabaseUnavailable):
            await database.transact(impatiently)
    await database.transact(impatiently)


@pytest.mark.parametrize(
    "values",
    [
        {"pending": 1},
        {"pending": 3, "reserved": -1},
        {"returned": 1},
        {"returned": -1},
        {"discount": 2501},
    ],
)
async def test_the_database_refuses_units_that_do_not_add_up(tx, values):
    (order,) = await store.add(tx, [an_order()])

    with pytest.raises(IntegrityError):
        await tx.execute(
            update(order_lines).where(order_lines.c.order_id == order.id).values(values)
        )


@pytest.mark.parametrize(
    "values",
    [
        {"status": "lost"},
        {"status": "confirmed"},
        {"payment_captured": 1},
        {"payment_reference": None},
        {"payment_method": "terms", "payment_net_days": 30},
    ],
)
async def test_the_database_refuses_orders_that_cannot_be(tx, values):
    (order,) = await store.add(tx, [an_order()])

    with pytest.raises(IntegrityError):
        await tx.execute(update(orders).where(orders.c.id == order.id).values(values))
