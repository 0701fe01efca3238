"""What Orders does seldom is done once, wherever it dies while doing it."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from chassis.outbox import outbox
from contracts.orders import OrderPlaced
from orders.commands import batches
from orders.commands.rescuing import Watchdog
from orders.schema import batch_rows, batch_uploads
from orders.store import orders as store
from tests.dying import PLACES, dying
from tests.orders.factories import an_order
from tests.orders.test_batches import (
    a_row,
    an_upload,
    count,
    grow_old,
    lines,
    results,
    upload,
)
from tests.orders.test_rescuing import PATIENCE, not_behind

pytestmark = pytest.mark.parametrize("place", PLACES)


async def test_an_order_that_waits_is_announced_again_once(place, database):
    at = datetime.now(UTC) - timedelta(minutes=2)
    await database.transact(store.add, [an_order(placed_at=at)])
    watchdog = Watchdog(database, PATIENCE, not_behind)
    with dying(place, "orders.commands.rescuing.rescue"):
        await watchdog.sweep()

    await watchdog.sweep()

    async with database.begin() as tx:
        told = (await tx.execute(select(outbox.c.type))).scalars().all()
    assert told == [OrderPlaced.type]


async def test_a_row_that_breaks_what_places_it_is_failed_once(
    place, client, database, monkeypatch
):
    async def break_down(*_):
        raise ValueError

    monkeypatch.setattr(batches, "place_orders", break_down)
    answer = await upload(client, lines(a_row()))
    with dying(place, "orders.commands.batches._fail_row"):
        await batches.place_all(database)

    await batches.place_all(database)

    batch = (await client.get(answer.headers["location"])).json()
    assert (batch["status"], batch["failed"]) == ("completed", 1)
    assert len(await results(client, answer.headers["location"])) == 1


async def test_an_upload_whose_process_died_is_forgotten(place, database):
    await database.transact(an_upload)
    await database.transact(grow_old)
    with dying(place, "orders.store.batches.forget_old"):
        await batches.keep_up(database)

    await batches.keep_up(database)

    assert await count(database, batch_uploads) == 0
    assert await count(database, batch_rows) == 0
