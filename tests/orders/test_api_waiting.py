import asyncio
from uuid import UUID, uuid4

from chassis.database import Tx
from chassis.testing import eventually
from orders.domain.settling import settle
from orders.store import orders as store
from tests.orders.factories import LATER, a_body, a_snapshot, units
from tests.orders.storefront import away, have_settled, post


async def test_who_prefers_to_wait_gets_the_order_decided(client, database):
    body, key = a_body(), uuid4().hex
    placed = (await post(client, body, key=key)).json()
    wait = {"Prefer": "wait=15"}

    looking = asyncio.create_task(
        client.get(f"/v1/orders/{placed['id']}", headers=wait)
    )
    retrying = asyncio.create_task(post(client, body, key=key, **wait))
    answered, _ = await asyncio.wait({looking, retrying}, timeout=0.3)
    assert not answered
    await have_settled(database, placed["id"], reserved=0)

    for answer in await asyncio.gather(looking, retrying):
        assert answer.headers["preference-applied"] == "wait=15"
        assert answer.json()["status"] == "rejected"


async def test_a_decision_of_another_process_ends_the_wait_too(client, database):
    placed = (await post(client, a_body())).json()
    path, wait = f"/v1/orders/{placed['id']}", {"Prefer": "wait=15"}

    async def settle_elsewhere(tx: Tx) -> None:
        """Nothing is announced here, so nothing wakes who waits here."""
        order = (await store.get_for_update(tx, {UUID(placed["id"])})).popitem()[1]
        settled = settle(order, a_snapshot(units(2, reserved=2)), LATER).order
        await store.save(tx, [settled])

    looking = asyncio.create_task(client.get(path, headers=wait))
    await database.transact(settle_elsewhere)

    assert (await looking).json()["status"] == "confirmed"


async def test_waiting_ends_with_the_time_preferred(client):
    answer = await post(client, a_body(), Prefer="wait=1")

    assert (answer.status_code, answer.json()["status"]) == (201, "placed")
    assert answer.headers["preference-applied"] == "wait=1"


async def test_nobody_waits_longer_than_the_most(client, database):
    placed = await post(client, a_body())
    await have_settled(database, placed.json()["id"], reserved=2)

    answer = await client.get(
        placed.headers["location"], headers={"Prefer": "wait=3600"}
    )

    assert answer.headers["preference-applied"] == "wait=20"


async def test_who_waits_is_answered_when_the_process_leaves(client):
    app = client._transport.app  # noqa: SLF001
    waiting = asyncio.create_task(post(client, a_body(), prefer="wait=20"))

    async def is_waiting() -> bool:
        return bool(app.state.waiters._waiting)  # noqa: SLF001

    await eventually(is_waiting)

    app.state.waiters.close()

    async with asyncio.timeout(15):
        answer = await waiting
    assert (answer.status_code, answer.json()["status"]) == (201, "placed")


async def test_who_waits_gets_what_is_known_when_the_database_goes_away(
    client, database, postgres_url
):
    app = client._transport.app  # noqa: SLF001
    placing = asyncio.create_task(post(client, a_body(), prefer="wait=2"))

    async def is_waiting() -> bool:
        return bool(app.state.waiters._waiting)  # noqa: SLF001

    await eventually(is_waiting)

    async with away(database, postgres_url):
        answer = await placing

    assert (answer.status_code, answer.json()["status"]) == (201, "placed")
