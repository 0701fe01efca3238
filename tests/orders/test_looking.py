"""Many who look at orders at once: what they are answered, and what it costs."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text, update

from chassis.database import Database, DatabaseUnavailable
from chassis.testing import eventually
from orders.commands.looking import looks_at
from orders.handlers.reservations import settle_orders
from orders.schema import orders
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
    looks: Any = client._transport.app.state.looks  # type: ignore[attr-defined]  # noqa: SLF001
    async with locked(database):
        first = looking(client, paths[:1])
        await until_somebody_waits(database)
        others = looking(client, paths[1:])

        async def all_are_in_line() -> bool:
            return bool(looks.waiting == len(others))

        await eventually(all_are_in_line)
    return await asyncio.gather(*first, *others)


async def test_those_who_look_at_once_are_answered_by_one_transaction(
    client, database, paths, counted
):
    answers = await crowd(client, database, ["/v1/orders/" + "0" * 32, *paths * 8])

    assert [problem(answers[0])] == [(404, "order_not_found")]
    assert [f"/v1/orders/{answer.json()['id']}" for answer in answers[1:]] == paths * 8
    assert counted()["orderly.batch.size"]["looks"] == 2


async def test_who_looks_alone_sees_what_was_committed_before(client, database):
    (path,) = await placed(client, 1)

    await settled(database, [id_in(path)])

    assert (await client.get(path)).json()["status"] == "confirmed"


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


async def test_nobody_waits_long_for_a_silent_database(database, paths):
    looks = looks_at(database, answers_within_s=0.2)
    running = asyncio.create_task(looks.run())
    ids = [UUID(id_in(path)) for path in paths]

    async with locked(database), asyncio.timeout(5):  # the lock is waited for longer
        silence = await asyncio.gather(*map(looks.submit, ids), return_exceptions=True)
    looks.close()
    await running

    assert {type(told) for told in silence} == {DatabaseUnavailable}


async def test_who_looks_when_the_process_has_left_is_sent_to_another(client, paths):
    client._transport.app.state.looks.close()  # noqa: SLF001

    answer = await client.get(paths[0])

    assert problem(answer) == (503, "leaving")


async def test_all_who_waited_for_a_batch_of_decisions_look_again_together(
    client, database, counted
):
    waiting = [
        asyncio.create_task(post(client, a_body(), Prefer="wait=20")) for _ in range(20)
    ]
    waiters: Any = client._transport.app.state.waiters  # noqa: SLF001

    async def all_wait() -> bool:
        return len(waiters._waiting) == len(waiting)  # noqa: SLF001

    await eventually(all_wait)
    await settled(database, set(waiters._waiting))  # noqa: SLF001
    answers = await asyncio.gather(*waiting)

    assert {answer.json()["status"] for answer in answers} == {"confirmed"}
    assert counted()["orderly.batch.size"]["looks"] == 1
