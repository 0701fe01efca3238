"""What happens to orders after they are placed, against the real database."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from msgspec import convert
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from chassis.database import Database, Tx
from chassis.pages import Window
from chassis.testing import statements_of
from contracts.accounting import (
    CreditNoteIssued,
    FactsMissing,
    InvoicePaid,
    PaymentStatus,
    RefundSettled,
)
from contracts.orders import (
    OrderCancellationRequested,
    OrderCancelled,
    OrderConfirmed,
    OrderReturned,
    OrderShipped,
    ReturnAuthorized,
)
from orders.commands.cancelling import Asked as AskedCancellation
from orders.commands.cancelling import request_cancellation
from orders.commands.placing import place_orders
from orders.commands.returning import Asked as AskedReturn
from orders.commands.returning import authorise_return
from orders.domain.cancellations import CancellationStatus
from orders.domain.orders import Order, OrderNotFound, Status
from orders.handlers import UnknownOrders
from orders.handlers.payments import UnknownFacts, announce_again, update_payments
from orders.handlers.reservations import settle_orders
from orders.schema import cancellation_lines, cancellations, return_lines
from orders.schema import returns as returns_table
from orders.store import cancellations as cancellation_store
from orders.store import orders as store
from orders.store import returns, timeline
from tests.orders.factories import (
    LATER,
    NOW,
    a_line,
    a_receipt,
    a_shipment,
    an_answer,
    an_order,
    arrived,
    asking,
    authorising,
    reservation_changed,
    some,
    units,
)

EVERYTHING = Window(limit=200, after=None)


async def stored(tx: Tx, id_: UUID) -> Order:
    return (await store.get_many(tx, [id_]))[id_]


def wanted(order, units_=None, id_=None) -> AskedCancellation:
    return AskedCancellation(
        id=id_ or uuid4(), order_id=order.id, units=units_, reason="Twice", at=LATER
    )


async def test_a_cancellation_is_stored_and_announced(tx, published):
    (order,) = await store.add(tx, [an_order(a_line(1), a_line(2))])

    asked = await request_cancellation(
        tx, wanted(order, some({2: 1})), customer_id=None
    )

    assert await cancellation_store.get(tx, order.id, asked.id) == asked
    (announced,) = await published()
    assert (announced.subject, announced.sequence) == (str(order.id), 2)
    assert isinstance(announced.data, OrderCancellationRequested)
    assert [(n.line, n.quantity) for n in announced.data.lines] == [(2, 1)]
    assert (await stored(tx, order.id)).sequence == 2


async def test_a_cancellation_that_is_there_already_is_answered_as_it_is(tx, published):
    (order,) = await store.add(tx, [an_order()])
    first = await request_cancellation(tx, wanted(order), customer_id=None)

    again = await request_cancellation(
        tx, wanted(order, id_=first.id), customer_id=None
    )

    assert again == first
    assert len(await published()) == 1


@pytest.mark.parametrize("customer", ["c-43", "c-4"])
async def test_another_customers_order_cannot_be_changed(tx, customer):
    (order,) = await store.add(tx, [an_order()])
    back = AskedReturn(id=uuid4(), order_id=order.id, units=(), reason=None, at=LATER)

    with pytest.raises(OrderNotFound):
        await request_cancellation(tx, wanted(order), customer_id=customer)
    with pytest.raises(OrderNotFound):
        await authorise_return(tx, back, customer_id=customer)


async def test_inventorys_answer_decides_a_cancellation(tx, published):
    (order,) = await store.add(tx, [an_order()])
    asked = await request_cancellation(tx, wanted(order), customer_id=None)

    await settle_orders(
        tx,
        arrived(
            reservation_changed(
                order.id,
                units(2, released=2),
                answers=(an_answer(asked, {1: 2}),),
            )
        ),
    )

    (decided,) = (await cancellation_store.find(tx, [order.id]))[order.id]
    assert decided.status is CancellationStatus.COMPLETED
    assert [line.cancelled for line in decided.lines] == [2]
    assert (await stored(tx, order.id)).status is Status.CANCELLED
    _, confirmed, cancelled = await published()
    assert isinstance(confirmed.data, OrderConfirmed)
    assert isinstance(cancelled.data, OrderCancelled)
    assert (confirmed.sequence, cancelled.sequence) == (3, 4)
    assert cancelled.data.complete


async def test_shipments_and_returns_are_announced_one_by_one(tx, published):
    (order,) = await store.add(tx, [an_order()])
    shipments = (a_shipment({1: 1}), a_shipment({1: 1}))
    await settle_orders(
        tx,
        arrived(
            reservation_changed(order.id, units(2, shipped=2), shipments=shipments)
        ),
    )
    back = await authorise_return(
        tx,
        AskedReturn(
            id=uuid4(), order_id=order.id, units=some({1: 1}), reason=None, at=LATER
        ),
        customer_id=order.customer_id,
    )
    receipts = (a_receipt({1: 1}, return_id=back.id), a_receipt({1: 1}))

    await settle_orders(
        tx,
        arrived(
            reservation_changed(
                order.id,
                units(2, shipped=2, returned=2),
                version=2,
                shipments=shipments,
                receipts=receipts,
            )
        ),
    )

    facts = await published()
    assert [type(fact.data) for fact in facts] == [
        OrderConfirmed,
        OrderShipped,
        OrderShipped,
        ReturnAuthorized,
        OrderReturned,
        OrderReturned,
    ]
    assert [fact.sequence for fact in facts] == [2, 3, 4, 5, 6, 7]
    known = (await returns.find(tx, [order.id]))[order.id]
    assert {one.id for one in known} == {receipt.return_id for receipt in receipts}
    assert all(one.received_at == NOW for one in known)


async def test_a_batch_with_everything_in_it_takes_few_statements(
    database: Database,
):
    async with database.begin() as tx:
        orders = await store.add(tx, [an_order(a_line(quantity=3)) for _ in range(40)])
        asked = [
            await request_cancellation(
                tx, wanted(order, some({1: 1})), customer_id=None
            )
            for order in orders
        ]
        snapshots = [
            reservation_changed(
                order.id,
                units(3, shipped=2, released=1, returned=1),
                answers=(an_answer(cancellation, {1: 1}),),
            )
            for order, cancellation in zip(orders, asked, strict=True)
        ]
        async with statements_of(tx) as statements:
            await settle_orders(tx, arrived(*snapshots))

    assert len(statements) == 10


async def test_a_batch_that_only_decides_takes_four_statements(database: Database):
    async with database.begin() as tx:
        orders = await store.add(tx, [an_order() for _ in range(40)])
        async with statements_of(tx) as statements:
            await settle_orders(
                tx,
                arrived(
                    *(reservation_changed(o.id, units(2, reserved=2)) for o in orders)
                ),
            )

    assert len(statements) == 4


# More than each of them has: who reads skips what is not his.
WHAT_THEY_SAY = {
    "number": "INV-2026-000001",
    "customer_id": "c-42",
    "currency": "EUR",
    "total": 2500,
    "paid": 2500,
    "amount": 2500,
    "paid_on": "2026-02-14",
    "issued_on": "2026-02-14",
    "refund_id": "5f0b9a3e-8f4c-4f0b-9d43-1f7b0c0c2a11",
    "settled_at": "2026-02-14T09:30:00Z",
}


@pytest.mark.parametrize("event_type", [InvoicePaid, CreditNoteIssued, RefundSettled])
async def test_whatever_bears_a_payment_is_heard(tx, event_type):
    (order,) = await store.add(tx, [an_order()])
    said = convert(
        WHAT_THEY_SAY
        | {"order_id": order.id, "payment": {"version": 1, "status": "refunded"}},
        event_type,
    )

    await update_payments(tx, arrived(said))

    assert (await stored(tx, order.id)).payment.status is PaymentStatus.REFUNDED


async def test_missing_facts_are_announced_again_under_their_old_numbers(tx, published):
    first, second = an_order(), an_order()
    await place_orders(tx, [first, second])
    for order in (first, second):
        snapshot = reservation_changed(order.id, units(2, reserved=2))
        await settle_orders(tx, arrived(snapshot))
    before = await published()

    await announce_again(
        tx,
        arrived(
            FactsMissing(order_id=first.id, from_sequence=2),
            FactsMissing(order_id=second.id, from_sequence=2),
            FactsMissing(order_id=second.id, from_sequence=1),
        ),
    )

    again = (await published())[len(before) :]
    found = sorted((fact.subject, fact.sequence) for fact in again)
    assert found == sorted(
        [(str(first.id), 2), (str(second.id), 1), (str(second.id), 2)]
    )
    assert {fact.data for fact in again} <= {fact.data for fact in before}


async def test_facts_of_an_unknown_order_are_a_fault(tx):
    with pytest.raises(UnknownOrders):
        await announce_again(
            tx, arrived(FactsMissing(order_id=uuid4(), from_sequence=1))
        )


async def test_facts_beyond_the_last_are_a_fault_of_their_own(tx):
    order = an_order()
    await place_orders(tx, [order])

    with pytest.raises(UnknownFacts, match=f"{order.id} from 2 on"):
        await announce_again(
            tx, arrived(FactsMissing(order_id=order.id, from_sequence=2))
        )


async def test_the_timeline_shows_a_fact_once_as_it_was_told_first(tx):
    order = an_order()
    await place_orders(tx, [order])
    await settle_orders(
        tx, arrived(reservation_changed(order.id, units(2, reserved=2)))
    )
    before = await timeline.find_page(tx, EVERYTHING, order_id=order.id)

    await announce_again(tx, arrived(FactsMissing(order_id=order.id, from_sequence=1)))

    assert await timeline.find_page(tx, EVERYTHING, order_id=order.id) == before
    assert [told.sequence for told in before] == [1, 2]


async def test_returns_are_read_as_they_were_written(tx):
    (order,) = await store.add(tx, [an_order(a_line(1), a_line(2))])
    snapshot = reservation_changed(order.id, units(2, shipped=2), units(2, shipped=2))
    await settle_orders(tx, arrived(snapshot))
    _, back = authorising(await stored(tx, order.id), {2: 1, 1: 2})

    await returns.save(tx, [back])
    await returns.save(tx, [back.received(a_receipt({2: 1}))])

    (read,) = (await returns.find(tx, [order.id]))[order.id]
    assert read.authorised_at == back.authorised_at
    assert [(n.line, n.quantity, n.received) for n in read.lines] == [
        (1, 2, 0),
        (2, 1, 1),
    ]


@pytest.mark.parametrize(
    ("table", "values"),
    [
        (cancellations, {"status": "lost"}),
        (cancellations, {"status": "completed"}),
        (cancellations, {"decided_at": LATER}),
        (cancellation_lines, {"cancelled": 3}),
        (cancellation_lines, {"cancelled": -1}),
        (cancellation_lines, {"quantity": 0}),
        (returns_table, {"expires_at": None}),
        (returns_table, {"authorised_at": None, "expires_at": None}),
        (returns_table, {"expires_at": LATER - timedelta(days=1)}),
        (return_lines, {"quantity": 0}),
        (return_lines, {"received": -1}),
    ],
)
async def test_the_database_refuses_what_cannot_be(tx, table, values):
    (order,) = await store.add(tx, [an_order()])
    _, cancellation = asking(order)
    await cancellation_store.add(tx, [cancellation])
    snapshot = reservation_changed(
        (await store.add(tx, [an_order()]))[0].id, units(2, shipped=2)
    )
    await settle_orders(tx, arrived(snapshot))
    shipped = await stored(tx, snapshot.order_id)
    _, back = authorising(shipped, {1: 1})
    await returns.save(tx, [back])

    with pytest.raises(IntegrityError):
        await tx.execute(update(table).values(values))
