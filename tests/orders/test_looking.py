"""Many who look at orders at once: what they are answered, and what it costs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text, update

from chassis.database import Database
from chassis.testing import eventually
from orders.commands import looking as looking_module
from orders.commands.looking import Look, Looks, looks_at
from orders.domain.orders import Order
from orders.handlers.reservations import settle_orders
from orders.schema import orders
from orders.store import orders as store
from tests.chaos.postgres_proxy import PostgresProxy
from tests.locks import until_somebody_waits
from tests.orders.factories import a_body, arrived, reservation_changed, units
from tests.orders.storefront import away, post, problem


async def placed(client: httpx.AsyncClient, count: int) -> list[str]:
    answers = await asyncio.gather(*(post(client, a_body()) for _ in range(count)))
    return [answer.headers["location"] for answer in answers]


@pytest.fixture
async def paths(client: httpx.AsyncClient) -> list[str]:
    """Where five orders are."""
    return await placed(client, 5)


def id_in(path: str) -> str:
    return path.rpartition("/")[2]


def looking(
    client: httpx.AsyncClient, paths: Sequence[str]
) -> list["asyncio.Task[httpx.Response]"]:
    return [asyncio.create_task(client.get(path)) for path in paths]


@asynccontextmanager
async def locked(database: Database) -> AsyncIterator[None]:
    """Whoever looks at an order waits."""
    async with database.begin() as tx:
        await tx.execute(text("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE"))
        yield


async def crowd(
    client: httpx.AsyncClient, database: Database, paths: Sequence[str]
) -> list[httpx.Response]:
    """The answers of those who come while the first of them is being answered."""
    async with locked(database):
        first = looking(client, paths[:1])
        await until_somebody_waits(database)
        others = looking(client, paths[1:])
        await eventually(in_line(client, len(others)))
    return await asyncio.gather(*first, *others)


def inside(client: httpx.AsyncClient) -> Any:
    """What the service that this client asks keeps."""
    transport: Any = client._transport  # noqa: SLF001 - it is in this process
    return transport.app.state


def in_line(client: httpx.AsyncClient, count: int) -> Callable[[], Awaitable[bool]]:
    async def all_are_in_line() -> bool:
        return bool(inside(client).looks.waiting == count)

    return all_are_in_line


async def test_those_who_look_at_once_are_answered_by_one_transaction(
    client, database, paths, counted
):
    answers = await crowd(client, database, ["/v1/orders/" + "0" * 32, *paths * 8])

    assert [problem(answers[0])] == [(404, "order_not_found")]
    assert [f"/v1/orders/{answer.json()['id']}" for answer in answers[1:]] == paths * 8
    assert counted()["orderly.batch.size"]["looks"] == 2


async def settled(database: Database, ids: Iterable[str]) -> None:
    changed = [reservation_changed(UUID(id_), units(2, reserved=2)) for id_ in ids]
    await database.transact(settle_orders, arrived(*changed))


async def test_an_order_that_cannot_be_read_fails_its_own_look_alone(
    client, database, paths
):
    broken = paths[2]
    async with database.begin() as tx:
        await tx.execute(
            update(orders)
            .where(orders.c.id == id_in(broken))
            .values(ship_to={"planet": "Mars"})
        )

    answers = await crowd(client, database, [paths[0], *paths])

    assert [answer.status_code for answer in answers] == [200, 200, 200, 500, 200, 200]


async def test_while_the_database_is_away_all_who_look_are_told_so(
    client, database, postgres_url, paths
):
    async with away(database, postgres_url):
        answers = await asyncio.gather(*looking(client, paths * 8))

    assert {problem(answer) for answer in answers} == {(503, "database_unavailable")}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
    assert (await client.get(paths[0])).status_code == 200


async def test_one_silent_connection_costs_nobody_the_look(
    database_url, paths, monkeypatch
):
    monkeypatch.setattr(looking_module, "READ_WITHIN_S", 1.0)
    async with PostgresProxy.before(database_url) as (line, url), looks(url) as distant:
        look = Look(UUID(id_in(paths[0])), "anybody")
        await distant.submit(look)
        line.silence_all()

        seen = await asyncio.gather(*(distant.submit(look) for _ in range(5)))

    assert {type(one) for one in seen} == {Order}


@asynccontextmanager
async def looks(url: str) -> AsyncIterator[Looks]:
    database = Database(url, application_name="distant")
    looks = looks_at(database)
    running = asyncio.create_task(looks.run())
    yield looks
    looks.close()
    await running
    await database.close()


async def test_a_later_look_at_the_same_order_sees_what_was_committed_before_it(
    client, database, monkeypatch
):
    (path,) = await placed(client, 1)
    as_it_is, was_read, may_answer = store.get_many, asyncio.Event(), asyncio.Event()

    async def get_many(*given: Any) -> Any:
        found = await as_it_is(*given)
        was_read.set()
        await may_answer.wait()
        return found

    monkeypatch.setattr(store, "get_many", get_many)
    (first,) = looking(client, [path])
    await was_read.wait()
    await settled(database, [id_in(path)])
    (second,) = looking(client, [path])
    await asyncio.sleep(0)
    may_answer.set()

    assert (await first).json()["status"] == "placed"
    assert (await second).json()["status"] == "confirmed"


async def test_who_looks_together_sees_only_what_is_theirs(
    client, database, allowed, paths
):
    async with locked(database):
        first = looking(client, paths[:1])
        await until_somebody_waits(database)
        owner, stranger = (
            asyncio.create_task(client.get(paths[0], headers=allowed(customer=who)))
            for who in ("c-42", "c-43")
        )
        await eventually(in_line(client, 2))
    await asyncio.gather(*first)

    assert (await owner).status_code == 200
    assert problem(await stranger) == (404, "order_not_found")


async def test_who_looks_when_the_process_has_left_is_sent_to_another(client, paths):
    inside(client).looks.close()

    answer = await client.get(paths[0])

    assert problem(answer) == (503, "leaving")


async def test_all_who_waited_for_a_batch_of_decisions_look_again_together(
    client, database, counted
):
    waiting = [
        asyncio.create_task(post(client, a_body(), Prefer="wait=20")) for _ in range(20)
    ]
    waiters = inside(client).waiters

    async def all_wait() -> bool:
        return len(waiters._waiting) == len(waiting)  # noqa: SLF001

    await eventually(all_wait)
    await settled(database, set(waiters._waiting))  # noqa: SLF001
    answers = await asyncio.gather(*waiting)

    assert {answer.json()["status"] for answer in answers} == {"confirmed"}
    # One may be told by what was read while the others came.
    assert counted()["orderly.batch.size"]["looks"] <= 2
