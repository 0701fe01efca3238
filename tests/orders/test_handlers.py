import asyncio
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from msgspec import structs

from chassis.consumer import Consumer
from chassis.database import Tx
from chassis.topology import Topology, provision
from contracts import topology
from contracts.accounting import PaymentStatus
from contracts.orders import DecidedLine, OrderConfirmed, OrderRejected
from orders.domain.orders import Order, Status
from orders.domain.snapshots import Contradiction
from orders.handlers import UnknownOrders
from orders.handlers.payments import update_payments
from orders.handlers.reservations import router as from_inventory
from orders.handlers.reservations import settle_orders
from orders.store import orders as store
from tests.orders.factories import (
    a_line,
    an_order,
    arrived,
    invoice_issued,
    on_the_wire,
    refund_requested,
    reservation_changed,
    units,
)


async def stored(tx: Tx, id_: UUID) -> Order:
    return (await store.get_many(tx, [id_]))[id_]


async def test_reserved_stock_confirms_the_order(tx, published):
    (order,) = await store.add(tx, [an_order()])

    await settle_orders(
        tx, arrived(reservation_changed(order.id, units(2, reserved=2)))
    )

    confirmed = await stored(tx, order.id)
    assert confirmed.status is Status.CONFIRMED
    assert confirmed.decided_at
    assert confirmed.lines[0].reserved == 2
    (announced,) = await published()
    assert (announced.subject, announced.sequence) == (str(order.id), 2)
    assert announced.data == OrderConfirmed(
        order_id=order.id,
        lines=(DecidedLine(line=1, confirmed=2, short=0),),
        decided_at=confirmed.decided_at,
    )


async def test_no_stock_rejects_the_order(tx, published):
    (order,) = await store.add(tx, [an_order()])

    await settle_orders(tx, arrived(reservation_changed(order.id, units(2))))

    rejected = await stored(tx, order.id)
    assert rejected.status is Status.REJECTED
    assert rejected.decided_at
    (announced,) = await published()
    assert announced.data == OrderRejected(
        order_id=order.id, decided_at=rejected.decided_at
    )


async def test_a_batch_is_settled_order_by_order(tx, published):
    orders = await store.add(tx, [an_order(a_line(1), a_line(2)) for _ in range(30)])
    snapshots = [
        reservation_changed(order.id, units(2, reserved=index % 3), units(2))
        for index, order in enumerate(orders)
    ]

    await settle_orders(tx, arrived(*snapshots))

    settled = await store.get_many(tx, [order.id for order in orders])
    statuses = [settled[order.id].status for order in orders]
    assert statuses == [Status.REJECTED, Status.CONFIRMED, Status.CONFIRMED] * 10
    assert {announced.sequence for announced in await published()} == {2}


async def test_what_moved_is_worth_so_much_in_the_currency_of_its_line(tx, published):
    (order,) = await store.add(tx, [an_order()])
    snapshot = reservation_changed(order.id, units(2, shipped=2, returned=1))
    dollars = structs.replace(snapshot.lines[0], cost_currency="USD")
    snapshot = structs.replace(snapshot, lines=(dollars,))

    await settle_orders(tx, arrived(snapshot))

    _, shipped, returned = [announced.data for announced in await published()]
    assert [shipped.lines[0].cost_currency, returned.lines[0].cost_currency] == [
        "USD",
        "USD",
    ]


async def test_of_several_snapshots_at_hand_the_newest_counts(tx, published):
    (order,) = await store.add(tx, [an_order()])
    backordered = reservation_changed(order.id, units(2, backordered=2), version=1)
    reserved = reservation_changed(order.id, units(2, reserved=2), version=2)

    await settle_orders(tx, arrived(reserved, backordered))

    assert (await stored(tx, order.id)).lines[0].reserved == 2
    assert len(await published()) == 1


async def test_a_snapshot_that_comes_late_changes_nothing(tx, published):
    (order,) = await store.add(tx, [an_order()])
    newer = reservation_changed(order.id, units(2, reserved=2), version=2)
    older = reservation_changed(order.id, units(2), version=1)
    await settle_orders(tx, arrived(newer))
    settled = await stored(tx, order.id)

    await settle_orders(tx, arrived(older))
    await settle_orders(tx, arrived(newer))

    assert await stored(tx, order.id) == settled
    assert len(await published()) == 1


async def test_a_snapshot_of_an_unknown_order_is_a_fault(tx):
    stranger = uuid4()

    with pytest.raises(UnknownOrders, match=str(stranger)):
        await settle_orders(
            tx, arrived(reservation_changed(stranger, units(2, reserved=2)))
        )


async def test_a_snapshot_that_contradicts_the_order_is_a_fault(tx):
    (order,) = await store.add(tx, [an_order()])

    with pytest.raises(Contradiction):
        await settle_orders(
            tx, arrived(reservation_changed(order.id, units(3, reserved=3)))
        )


async def test_the_newest_word_on_a_payment_counts(tx, published):
    first, second = await store.add(tx, [an_order(), an_order()])

    await update_payments(
        tx,
        arrived(
            refund_requested(first.id, PaymentStatus.REFUND_PENDING, version=2),
            invoice_issued(first.id, PaymentStatus.CAPTURED, version=1),
            invoice_issued(second.id, PaymentStatus.CAPTURED, version=1),
        ),
    )
    await update_payments(
        tx, arrived(invoice_issued(first.id, PaymentStatus.CAPTURED, version=1))
    )

    paid = await store.get_many(tx, [first.id, second.id])
    assert paid[first.id].payment.status is PaymentStatus.REFUND_PENDING
    assert [paid[o.id].payment.version for o in (first, second)] == [2, 1]
    assert [paid[o.id].version for o in (first, second)] == [2, 2]
    assert await published() == []


async def test_a_payment_of_an_unknown_order_is_a_fault(tx):
    with pytest.raises(UnknownOrders):
        await update_payments(
            tx, arrived(invoice_issued(uuid4(), PaymentStatus.CAPTURED, version=1))
        )


async def test_what_cannot_be_handled_is_put_aside_and_its_neighbours_are_not(
    database, aws
):
    (order,) = await database.transact(store.add, [an_order()])
    name = f"orders-{uuid4().hex[:8]}"
    queue = replace(topology.ORDERS_FROM_INVENTORY, name=name, hears=None)
    await provision(aws, Topology(topics=(), queues=(queue,)))
    snapshots = [
        reservation_changed(order_id, units(2, reserved=2))
        for order_id in (uuid4(), order.id)
    ]
    await aws.send(queue.name, on_the_wire(*snapshots), {})
    consumer = Consumer(database, aws, queue, from_inventory)
    consuming = asyncio.create_task(consumer.run())

    (dead,) = await aws.receive(queue.dead_letters)

    assert str(snapshots[0].order_id) in dead.body
    assert dead.attributes["error"].startswith("UnknownOrders")
    assert (await database.transact(stored, order.id)).status is Status.CONFIRMED
    consumer.stop()
    await consuming


async def test_decisions_are_counted_and_timed(database, counted):
    placed = await database.transact(store.add, [an_order(), an_order()])
    snapshots = [
        reservation_changed(order.id, units(2, reserved=reserved))
        for order, reserved in zip(placed, (0, 2), strict=True)
    ]

    await database.transact(settle_orders, arrived(*snapshots))
    await database.transact(settle_orders, arrived(*snapshots))

    news = counted()
    assert news["orderly.orders.decided"] == {"confirmed": 1, "rejected": 1}
    assert news["orderly.orders.time_to_decide"] == {"": 2}
