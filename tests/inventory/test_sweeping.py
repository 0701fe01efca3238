import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from msgspec import structs

from contracts.topology import INVENTORY_FROM_ORDERS
from inventory import sweeping
from inventory.commands.holds import get_hold, hold_units
from inventory.domain.holds import HoldStatus
from inventory.sweeping import GRACE, GRACE_WHILE_BUSY, Sweeper
from tests.inventory.factories import a_hold, stocked


@pytest.fixture
async def queue(aws):
    """A queue from Orders that no other test writes to."""
    queue = replace(INVENTORY_FROM_ORDERS, name=f"sweeping-{uuid4()}")
    await aws.sqs.create_queue(QueueName=queue.name)
    yield queue
    await aws.sqs.delete_queue(QueueUrl=await aws.queue_url(queue.name))


async def held(database, *, ran_out_ago):
    expires_at = datetime.now(UTC) - ran_out_ago
    wanted = structs.replace(a_hold(("SOAP", 1)), expires_at=expires_at)
    await database.transact(stocked, ("SOAP", 1))
    return await database.transact(hold_units, wanted, actor="checkout")


async def status_of(database, hold):
    found = await database.transact(get_hold, hold.id, customer_id=None)
    return found.status


async def test_a_hold_is_ended_some_time_after_it_ran_out(database, aws, queue):
    sweeper = Sweeper(database, aws, queue)
    fresh = await held(database, ran_out_ago=GRACE / 2)
    old = await held(database, ran_out_ago=GRACE * 2)

    assert await sweeper.sweep()

    assert await status_of(database, old) is HoldStatus.EXPIRED
    assert await status_of(database, fresh) is HoldStatus.HELD


async def test_a_hold_is_not_ended_while_its_order_may_be_in_the_queue(
    database, aws, queue
):
    sweeper = Sweeper(database, aws, queue)
    hold = await held(database, ran_out_ago=GRACE * 2)
    await aws.send(queue.name, json.dumps([]), {})

    assert await sweeper.sweep()

    assert await status_of(database, hold) is HoldStatus.HELD
    (message,) = await aws.receive(queue.name)
    await aws.delete(queue.name, [message])
    await sweeper.sweep()
    assert await status_of(database, hold) is HoldStatus.EXPIRED


def test_orders_that_keep_coming_do_not_keep_holds_for_ever():
    assert sweeping.grace(0) == GRACE
    assert sweeping.grace(sweeping.FEW_MESSAGES) == GRACE_WHILE_BUSY
    assert sweeping.grace(sweeping.FEW_MESSAGES + 1) is None


async def test_a_hold_wakes_a_sweeper_that_rests(database):
    told: list[str] = []
    database.on_announced(told.extend)

    hold = await held(database, ran_out_ago=-timedelta(hours=1))

    assert str(hold.id) in told  # and so it was used: timers come round


async def test_nothing_is_due_when_nothing_is_held(database, aws, queue):
    sweeper = Sweeper(database, aws, queue)

    assert not await sweeper.sweep()


async def test_the_sweeper_comes_again_when_the_next_hold_has_run_out(
    database, aws, queue
):
    hold = await held(database, ran_out_ago=-timedelta(hours=1))

    due = await Sweeper(database, aws, queue).sweep()

    assert due == hold.expires_at + GRACE
    assert await status_of(database, hold) is HoldStatus.HELD
