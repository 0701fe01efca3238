"""Orders as a process of its own, while its database goes away and comes back."""

import asyncio
import json
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

import httpx
import psutil
import pytest
from sqlalchemy import func, select

from chassis import migrations
from chassis.database import Database
from chassis.outbox import outbox
from chassis.queues import Aws
from chassis.testing import TokenIssuer, eventually
from contracts.topology import ORDERS_INTAKE
from orderly.stack.ports import free_port
from orderly.stack.postgres import Postgres
from orders.schema import orders
from tests.orders.conftest import EVERYTHING
from tests.orders.factories import a_body
from tests.orders.storefront import post
from tests.orders.test_intake import drained

pytestmark = [
    pytest.mark.timeout(240),  # servers and processes start and end in each
    pytest.mark.xdist_group("outage"),  # one server serves them all
]

BUYERS = 8
AWAY_S = 4


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Postgres]:
    async with Postgres.throwaway() as server:
        yield server


@pytest.fixture
async def url(server: Postgres) -> str:
    url = await server.give_database(f"orders_{uuid4().hex[:12]}")
    await asyncio.to_thread(migrations.upgrade, "orders", url)
    return url


@pytest.fixture
def environment(
    url: str,
    aws_environment: Mapping[str, str],
    trusted: Mapping[str, str],
    issuer: TokenIssuer,
) -> dict[str, str]:
    return {
        **aws_environment,
        **trusted,
        "PYTHONPATH": ":".join(sys.path),
        "ORDERLY_ISSUERS": json.dumps([issuer.trusted.model_dump()]),
        "ORDERS_DATABASE_URL": url,
        "ORDERS_PORT": str(free_port()),
        "ORDERS_SPILL_AFTER_S": "1",
    }


@pytest.fixture
async def queue(provisioned: Aws) -> Aws:
    """The intake queue, empty: what other tests left would be placed here too."""
    url = await provisioned.queue_url(ORDERS_INTAKE.name)
    await provisioned.sqs.purge_queue(QueueUrl=url)
    return provisioned


@asynccontextmanager
async def a_shop(
    environment: Mapping[str, str], issuer: TokenIssuer
) -> AsyncIterator[httpx.AsyncClient]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orders"),
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
    )
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{environment['ORDERS_PORT']}",
        headers=issuer.headers(*EVERYTHING),
        timeout=30,
        trust_env=False,
    ) as client:

        async def is_alive() -> bool:
            with suppress(httpx.TransportError):
                return (await client.get("/healthz")).status_code == 200
            return False

        try:
            await eventually(is_alive, within_s=30)
            yield client
        finally:
            process.send_signal(signal.SIGTERM)
            await process.wait()


async def all_are_there(client: httpx.AsyncClient, locations: set[str]) -> None:
    missing = set(locations)

    async def none_is_missing() -> bool:
        for location in sorted(missing):
            if (await client.get(location)).status_code != 200:
                return False
            missing.discard(location)
        return True

    await eventually(none_is_missing, within_s=60, every_s=0.2)


async def placed_and_announced(environment: Mapping[str, str]) -> tuple[int, int]:
    database = Database(environment["ORDERS_DATABASE_URL"], application_name="tests")
    async with database.begin() as tx:
        counted = [
            (await tx.execute(select(func.count()).select_from(table))).scalar_one()
            for table in (orders, outbox)
        ]
    await database.close()
    return counted[0], counted[1]


async def test_orders_starts_and_accepts_without_its_database(
    server, environment, issuer, queue
):
    await server.stop()
    async with a_shop(environment, issuer) as client:
        answers = await asyncio.gather(*(post(client, a_body()) for _ in range(20)))
        await server.start()
        locations = {answer.headers["location"] for answer in answers}
        await all_are_there(client, locations)
        await eventually(lambda: drained(queue), within_s=60)

    assert {answer.status_code for answer in answers} == {202}
    assert await placed_and_announced(environment) == (20, 20)


@pytest.mark.chaos
@pytest.mark.parametrize("how", ["stopped", "frozen"])
async def test_an_outage_under_load_costs_no_order_and_doubles_none(
    server, environment, issuer, queue, how
):
    answers: list[httpx.Response] = []
    over = asyncio.Event()

    async def buy(client: httpx.AsyncClient) -> None:
        while not over.is_set():
            body, key = a_body(), uuid4().hex
            first = await post(client, body, key=key)
            again = await post(client, body, key=key)
            assert first.headers["location"] == again.headers["location"]
            answers.extend([first, again])

    async with a_shop(environment, issuer) as client:
        async with asyncio.TaskGroup() as buying:
            for _ in range(BUYERS):
                buying.create_task(buy(client))
            await are_placed_at_once(answers)
            await (outage(server) if how == "stopped" else freeze(server))
            await are_placed_at_once(answers)
            over.set()
        locations = {answer.headers["location"] for answer in answers}
        await all_are_there(client, locations)
        await eventually(lambda: drained(queue), within_s=60)

    by_status = Counter(answer.status_code for answer in answers)
    assert by_status.keys() == {200, 201, 202}
    assert await placed_and_announced(environment) == (len(locations), len(locations))


async def are_placed_at_once(answers: list[httpx.Response]) -> None:
    seen = len(answers)

    async def some_is() -> bool:
        return any(answer.status_code == 201 for answer in answers[seen:])

    await eventually(some_is, within_s=60)


async def outage(server: Postgres) -> None:
    await server.stop()
    await asyncio.sleep(AWAY_S)
    await server.start()


async def freeze(server: Postgres) -> None:
    """Connections stay, and nothing answers: as when a machine hangs."""
    pid = int((server.data / "postmaster.pid").read_text().split()[0])
    postmaster = psutil.Process(pid)
    for process in (postmaster, *postmaster.children()):
        process.suspend()
    await asyncio.sleep(AWAY_S)
    for process in (*postmaster.children(), postmaster):
        process.resume()
