"""What is read from the replica, where there is one: here it never answers."""

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from chassis.database import Database
from chassis.queues import Aws
from chassis.testing import TokenIssuer, serving
from orders.main import SERVICE
from tests.orders.conftest import EVERYTHING
from tests.orders.factories import a_body


@pytest.fixture
async def client(
    database: Database, aws: Aws, issuer: TokenIssuer
) -> AsyncIterator[httpx.AsyncClient]:
    nobody = "postgresql://nobody@127.0.0.1:1/nothing"
    replica = Database(nobody, application_name="tests", connect_timeout_s=1)
    async with serving(
        SERVICE, database, aws, [issuer.trusted], replica=replica
    ) as client:
        client.headers.update(issuer.headers(*EVERYTHING))
        yield client
    await replica.close()


async def place(client: httpx.AsyncClient) -> str:
    answer = await client.post(
        "/v1/orders", json=a_body(), headers={"Idempotency-Key": uuid4().hex}
    )
    location: str = answer.headers["Location"]
    return location


async def test_an_order_that_was_just_placed_is_read_from_the_writer(client):
    location = await place(client)

    assert (await client.get(location)).status_code == 200


async def test_lists_and_timelines_are_read_from_the_reader(client):
    location = await place(client)

    for path in ("/v1/orders", f"{location}/timeline"):
        assert (await client.get(path)).status_code == 503, path


async def test_a_timeline_of_nothing_is_not_found_without_the_reader(client):
    answer = await client.get(f"/v1/orders/{uuid4()}/timeline")

    assert answer.status_code == 404
