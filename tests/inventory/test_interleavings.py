"""Several processes at once, each with connections of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from random import Random

from sqlalchemy import text

from chassis import inbox
from chassis.database import Database, StartOver, Tx
from chassis.errors import Refused
from chassis.testing import eventually
from contracts.inventory import Condition
from contracts.orders import Policy
from inventory.commands.returns import receive_return
from inventory.commands.shipping import ship_units
from inventory.commands.stock import receive_goods
from inventory.domain.reservations import Reservation
from inventory.handlers.orders import OrderEvent, follow_orders, router
from inventory.store import reservations
from tests.inventory.factories import (
    a_delivery,
    a_parcel,
    a_return,
    an_order,
    cancelled,
    placed,
    stocked,
)
from tests.inventory.figures import assert_books_agree, quantities

DICE = Random(11)  # the same tests every time
SKUS = ("SOAP", "RUM", "TEA")

WAITING = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)

Work = Callable[[Tx], Awaitable[object]]


async def once(database: Database, work: Work) -> None:
    """In one transaction, again only if it says so itself: a deadlock would show."""
    while True:
        with suppress(Refused):
            try:
                async with database.begin() as tx:
                    await work(tx)
            except StartOver:
                continue
        return


async def share(database: Database, works: Sequence[Work]) -> None:
    """Six processes take what is next, whenever they are done."""
    left = iter(works)

    async def process() -> None:
        for work in left:
            await once(database, work)

    await asyncio.gather(*(process() for _ in range(6)))


def an_order_for_some(number: int) -> Reservation:
    skus = DICE.sample(SKUS, DICE.randint(1, 3))
    return an_order(
        *((sku, DICE.randint(1, 3)) for sku in skus),
        policy=DICE.choice(tuple(Policy)),
        placed_after_s=number,
    )


def everything(order: Reservation) -> dict[int, int]:
    return {line.line: line.requested for line in order.lines}


def shuffled_nearby(works: Sequence[Work]) -> list[Work]:
    """What belongs together meets: before, during and after one another."""
    moved = [(index + DICE.uniform(0, 12), work) for index, work in enumerate(works)]
    return [work for _, work in sorted(moved, key=lambda pair: pair[0])]


def hear(*events: OrderEvent) -> Work:
    return partial(_hear, events)


async def _hear(events: Sequence[OrderEvent], tx: Tx) -> None:
    await follow_orders(tx, events)


def send(order: Reservation, units: dict[int, int] | None = None) -> Work:
    parcel = a_parcel(order.order_id, units)
    return lambda tx: ship_units(tx, parcel, actor="staff")


def take_back(order: Reservation) -> Work:
    back = a_return(order.order_id, (1, 1, Condition.DAMAGED))
    return lambda tx: receive_return(tx, back, actor="staff")


def receive(sku: str, quantity: int) -> Work:
    delivery = a_delivery((sku, quantity))
    return lambda tx: receive_goods(tx, delivery, actor="staff")


async def test_a_cancellation_meets_its_order_in_a_thousand_ways(database):
    await database.transact(stocked, *((sku, 40) for sku in SKUS))
    orders = [an_order_for_some(number) for number in range(250)]
    works: list[Work] = []
    for order in orders:
        works += [
            hear(placed(order)),
            hear(cancelled(order.order_id, everything(order))),
            send(order),
            receive(DICE.choice(SKUS), 1),
        ]

    await share(database, shuffled_nearby(works))

    async with database.begin() as tx:
        await assert_books_agree(tx)
        lives = await reservations.get(tx, [order.order_id for order in orders])
    assert len(lives) == 250
    for life in lives:
        (answer,) = life.history.cancellations
        assert sum(line.released for line in answer.lines) == sum(
            line.voided + line.released for line in life.lines
        )
        assert not any(line.reserved or line.backordered for line in life.lines)
    # Each way was met: units were voided, released, and gone already.
    lines = [line for life in lives for line in life.lines]
    assert all(
        any(getattr(line, name) for line in lines)
        for name in ("voided", "released", "shipped")
    )


async def test_a_cancellation_starts_over_when_its_order_comes_meanwhile(database):
    await database.transact(stocked, ("SOAP", 5))
    order = an_order(("SOAP", 3))
    request = cancelled(order.order_id, {1: 2})

    async with database.begin() as placing:
        await follow_orders(placing, [placed(order)])
        cancelling = asyncio.create_task(database.transact(follow_orders, [request]))
        await eventually(lambda: somebody_waits(database))
    await cancelling

    async with database.begin() as tx:
        (line,) = await quantities(tx, "reservation_lines")
        await assert_books_agree(tx)
    assert (line["reserved"], line["released"], line["voided"]) == (1, 2, 0)


async def somebody_waits(database: Database) -> bool:
    async with database.begin() as tx:
        waiting = await tx.execute(WAITING)
        return waiting.scalar_one() > 0


async def test_processes_that_hear_everything_twice_do_everything_once(database):
    await database.transact(stocked, *((sku, 60) for sku in SKUS))
    orders = [an_order_for_some(number) for number in range(200)]
    events: list[OrderEvent] = [placed(order) for order in orders]
    for order in orders[::2]:
        asked = cancelled(order.order_id, everything(order))
        again = cancelled(
            order.order_id,
            everything(order),
            cancellation_id=asked.data.cancellation_id,
        )
        events += [asked, again]
    events += DICE.sample(events, len(events) // 3)
    DICE.shuffle(events)

    async def handle(batch: Sequence[OrderEvent], tx: Tx) -> None:
        await router.dispatch(tx, await inbox.claim(tx, batch))

    await share(
        database,
        [partial(handle, events[at : at + 9]) for at in range(0, len(events), 9)],
    )

    async with database.begin() as tx:
        await assert_books_agree(tx)
        lives = await reservations.get(tx, [order.order_id for order in orders])
    assert [len(life.history.cancellations) for life in lives].count(1) == 100
    for life in lives:
        if life.history.cancellations:
            assert not any(line.reserved or line.backordered for line in life.lines)


async def test_a_backorder_is_filled_by_a_receipt_while_it_is_cancelled(database):
    await database.transact(stocked, ("SOAP", 1))
    orders = [
        an_order(("SOAP", 3), policy=Policy.ALLOW_BACKORDER, placed_after_s=number)
        for number in range(40)
    ]
    await database.transact(follow_orders, [placed(order) for order in orders])
    works: list[Work] = []
    for order in orders:
        works += [
            receive("SOAP", DICE.randint(1, 4)),
            hear(cancelled(order.order_id, {1: 2})),
            hear(cancelled(order.order_id, {1: 1})),
        ]

    await share(database, shuffled_nearby(works))

    async with database.begin() as tx:
        await assert_books_agree(tx)
        rows = await quantities(tx, "reservation_lines")
        (shelf,) = await quantities(tx, "stock")
    assert all(row["released"] == 3 for row in rows)
    assert shelf["reserved"] == 0


async def test_units_leave_once_and_come_back_once_whoever_asks(database):
    await database.transact(stocked, ("SOAP", 48))
    orders = [an_order(("SOAP", 4)) for _ in range(12)]
    await database.transact(follow_orders, [placed(order) for order in orders])

    await share(database, shuffled_nearby([send(o, {1: 1}) for o in orders * 6]))
    await share(database, shuffled_nearby([take_back(order) for order in orders * 6]))

    async with database.begin() as tx:
        await assert_books_agree(tx)
        lines = await quantities(tx, "reservation_lines")
    assert {(line["shipped"], line["returned"]) for line in lines} == {(4, 4)}
