from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import uuid4

import httpx
import pytest

from chassis.database import Database
from chassis.queues import Aws
from chassis.replays import Replayer
from chassis.testing import TokenIssuer, serving
from chassis.topology import Queue, Topic, Topology, provision
from sample.main import QUEUE, SERVICE, TOPIC, events


@pytest.fixture
def service() -> str:
    return "sample"


@pytest.fixture
async def client(
    database: Database, aws: Aws, issuer: TokenIssuer
) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(SERVICE, database, aws, [issuer.trusted]) as client:
        yield client


@pytest.fixture
async def topic() -> Topic:
    return replace(TOPIC, name=f"sample-{uuid4().hex[:8]}")


@pytest.fixture
async def queue(aws: Aws, topic: Topic) -> Queue:
    """A queue of the test's own, subscribed to a topic of its own."""
    queue = replace(QUEUE, name=f"{topic.name}-queue", hears=topic)
    await provision(aws, Topology(topics=(topic,), queues=(queue,)))
    return queue


@pytest.fixture
async def operator(
    database: Database, aws: Aws, issuer: TokenIssuer, topic: Topic, queue: Queue
) -> AsyncIterator[httpx.AsyncClient]:
    """Asks the operations of a service that has the test's own topic and queue."""
    service = replace(SERVICE, announces=topic, hears={queue: events})
    async with serving(service, database, aws, [issuer.trusted]) as client:
        client.headers.update(issuer.headers("ops"))
        client.base_url = client.base_url.join("/v1/sample/ops/")
        yield client


@pytest.fixture
def replayer(database: Database, aws: Aws, topic: Topic) -> Replayer:
    return Replayer(database, aws, topic=topic.name, source="orderly/sample")
