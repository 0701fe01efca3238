import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text, update

from chassis.database import Tx
from chassis.lifecycle import Runtime
from chassis.outbox import RELAY, outbox, relay_cursor
from chassis.topology import Topology, provision
from contracts import topology
from contracts.orders import OrderCancellationRequested, OrderPlaced
from orders.commands import rescuing
from orders.commands.cancelling import Asked, request_cancellation
from orders.commands.rescuing import Watchdog, rescue
from orders.domain.orders import Attention, Order
from orders.domain.rescues import Patience
from orders.handlers.reservations import settle_orders
from orders.main import SERVICE
from orders.settings import Settings
from orders.store import cancellations, rescues
from orders.store import orders as store
from tests.locks import until_somebody_waits
from tests.orders.factories import (
    an_answer,
    an_order,
    arrived,
    reservation_changed,
    units,
)

MINUTE = timedelta(minutes=1)
PATIENCE = Patience(
    ages=(MINUTE, 5 * MINUTE, 25 * MINUTE), then_every=timedelta(hours=1)
)
PLACED = datetime(2026, 2, 14, 9, 30, tzinfo=UTC)


async def stored(tx: Tx, id_: UUID) -> Order:
    return (await store.get_many(tx, [id_]))[id_]


async def placed(tx, **changes):
    (order,) = await store.add(tx, [an_order(placed_at=PLACED, **changes)])
    return order


async def looked_at(tx: Tx) -> int:
    """How many orders this transaction has read, not counting what rolled-back ones
    have left in the indexes."""
    found = await tx.execute(
        text(
            "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables"
            " WHERE relname = 'orders'"
        )
    )
    return int(found.scalar_one())


async def behind() -> bool:
    return True


async def not_behind() -> bool:
    return False


async def test_an_order_is_announced_again_after_1_5_and_25_minutes_then_hourly(tx):
    await placed(tx)

    rescued = [
        minute
        for minute in range(200)
        if await rescue(tx, PATIENCE, PLACED + minute * MINUTE)
    ]

    assert rescued == [1, 5, 25, 85, 145]


async def test_what_is_announced_again_is_the_first_fact_under_a_new_id(tx, published):
    order = await placed(tx)

    await rescue(tx, PATIENCE, PLACED + MINUTE)
    await rescue(tx, PATIENCE, PLACED + 5 * MINUTE)

    again = await published()
    assert [(fact.subject, fact.sequence) for fact in again] == [(str(order.id), 1)] * 2
    assert {type(fact.data) for fact in again} == {OrderPlaced}
    shown = await stored(tx, order.id)
    assert shown.attention is Attention.UNDECIDED
    assert (shown.sequence, shown.version) == (1, 2)


async def test_when_the_next_is_due_takes_no_longer_when_many_wait(tx):
    await store.add(tx, [an_order(placed_at=PLACED) for _ in range(500)])
    before = await looked_at(tx)

    assert await rescues.next_due(tx, PATIENCE) == PLACED + MINUTE

    assert 0 < await looked_at(tx) - before < 10


async def test_who_is_due_longest_is_announced_first(tx, monkeypatch):
    monkeypatch.setattr(rescuing, "AT_MOST", 1)
    again = await placed(tx)
    await rescue(tx, PATIENCE, PLACED + MINUTE)  # and due again 5 minutes after placing
    (later,) = await store.add(tx, [an_order(placed_at=PLACED + 4.5 * MINUTE)])

    await rescue(tx, PATIENCE, PLACED + 10 * MINUTE)
    assert (await stored(tx, again.id)).rescue_at == PLACED + 25 * MINUTE
    assert (await stored(tx, later.id)).rescue_at is None

    await rescue(tx, PATIENCE, PLACED + 10 * MINUTE)
    assert (await stored(tx, later.id)).rescue_at == PLACED + 29.5 * MINUTE


async def test_two_who_sweep_at_once_announce_an_order_once(database):
    await database.transact(placed)
    async with database.begin() as tx:
        assert await rescue(tx, PATIENCE, PLACED + MINUTE) == 1
        other = asyncio.create_task(
            database.transact(rescue, PATIENCE, PLACED + MINUTE)
        )
        await until_somebody_waits(database)

    assert await other == 0


async def test_a_decision_ends_it(tx, published):
    order = await placed(tx)
    await rescue(tx, PATIENCE, PLACED + MINUTE)

    snapshot = reservation_changed(order.id, units(2, reserved=2))
    await settle_orders(tx, arrived(snapshot))

    assert await rescue(tx, PATIENCE, PLACED + 90 * MINUTE) == 0
    decided = await stored(tx, order.id)
    assert (decided.attention, decided.rescue_at) == (None, None)
    assert await rescues.next_due(tx, PATIENCE) is None
    assert len(await published()) == 2


async def test_an_open_cancellation_is_announced_again_under_its_number(tx, published):
    order = await placed(tx)
    snapshot = reservation_changed(order.id, units(2, reserved=2))
    await settle_orders(tx, arrived(snapshot))
    asked = await request_cancellation(
        tx,
        Asked(id=uuid4(), order_id=order.id, units=None, reason=None, at=PLACED),
        customer_id=None,
    )

    assert await rescue(tx, PATIENCE, PLACED + MINUTE) == 1
    assert await rescue(tx, PATIENCE, PLACED + 2 * MINUTE) == 0

    *_, first, again = await published()
    assert isinstance(again.data, OrderCancellationRequested)
    assert (again.sequence, again.data) == (first.sequence, first.data)
    shown = await stored(tx, order.id)
    assert shown.attention is Attention.CANCELLATION_OPEN
    released = reservation_changed(
        order.id, units(2, released=2), version=2, answers=(an_answer(asked, {1: 2}),)
    )
    await settle_orders(tx, arrived(released))
    assert (await stored(tx, order.id)).attention is None
    assert await rescue(tx, PATIENCE, PLACED + 90 * MINUTE) == 0


async def test_a_sweep_takes_so_many_at_most(tx, published, monkeypatch):
    monkeypatch.setattr(rescuing, "AT_MOST", 2)
    for _ in range(3):
        await placed(tx)

    sweeps = [await rescue(tx, PATIENCE, PLACED + MINUTE) for _ in range(3)]

    assert sweeps == [2, 1, 0]
    assert len(await published()) == 3


@pytest.mark.parametrize("numbered", [True, False])
async def test_nothing_is_announced_again_while_the_outbox_is_behind(tx, numbered):
    order = await placed(tx)
    await rescue(tx, PATIENCE, PLACED + MINUTE)
    position = 7 if numbered else None
    await tx.execute(update(outbox).values(position=position))
    at = datetime.now(UTC) + timedelta(seconds=30)

    assert await rescue(tx, PATIENCE, at) == 0

    await tx.execute(update(outbox).values(position=7))
    await tx.execute(update(relay_cursor).filter_by(name=RELAY).values(published=7))
    assert await rescue(tx, PATIENCE, at) == 1
    assert (await stored(tx, order.id)).rescue_at == at + timedelta(hours=1)


async def test_nothing_is_announced_again_while_the_own_queue_is_behind(database):
    order = await database.transact(placed)

    due = await Watchdog(database, PATIENCE, behind).sweep()

    assert due
    assert (await database.transact(stored, order.id)).attention is None


async def test_the_watchdog_rests_when_nothing_can_become_due(database):
    assert not await Watchdog(database, PATIENCE, not_behind).sweep()


async def test_an_idle_database_is_left_alone_until_something_is_due(database):
    (order,) = await database.transact(
        store.add, [an_order(placed_at=datetime.now(UTC))]
    )

    due = await Watchdog(database, PATIENCE, not_behind).sweep()

    assert due == order.placed_at + MINUTE


async def test_the_service_is_as_patient_as_its_settings_say(database, aws):
    queue = replace(topology.ORDERS_FROM_INVENTORY, hears=None)
    await provision(aws, Topology(topics=(), queues=(queue,)))
    settings = Settings(database_url="postgresql://not-used", rescue_ages_s=(0.001,))
    parts = SERVICE.assemble(Runtime(settings=settings, database=database, aws=aws))
    (watchdog,) = [timer for timer in parts.timers if timer.name == "watchdog"]
    assert watchdog.in_every_role  # each knows only of itself that it is not at rest
    (order,) = await database.transact(
        store.add, [an_order(placed_at=datetime.now(UTC) - timedelta(seconds=1))]
    )

    assert await watchdog.work()

    shown = await database.transact(stored, order.id)
    assert shown.attention is Attention.UNDECIDED


async def test_rescues_are_counted(database, counted):
    order = await database.transact(placed)
    await Watchdog(database, PATIENCE, not_behind).sweep()

    news = counted()

    assert news["orderly.orders.rescues"]["order"] == 1
    shown = await database.transact(stored, order.id)
    assert shown.attention is Attention.UNDECIDED
    assert not (await database.transact(cancellations.find, [order.id]))[order.id]
