import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import uuid4

import pytest

from chassis.queues import Aws
from chassis.testing import eventually
from chassis.topology import Topology, provision
from orderly.keeping import keep
from sample.main import QUEUE, TOPIC


@pytest.fixture
def topology() -> Topology:
    name = f"kept-{uuid4().hex[:8]}"
    topic = replace(TOPIC, name=name)
    queue = replace(QUEUE, name=f"{name}-queue", hears=topic)
    return Topology(topics=(topic,), queues=(queue,))


class Publisher:
    """Counts how often it was to publish again; away for the first few times."""

    def __init__(self, *, away: int = 0) -> None:
        self.asked = 0
        self._away = away

    async def __call__(self) -> int:
        self.asked += 1
        if self.asked <= self._away:
            raise ConnectionError("no database")
        return 3

    async def until_asked(self, times: int) -> None:
        async def is_so() -> bool:
            return self.asked == times

        await eventually(is_so)


@asynccontextmanager
async def keeping(
    aws: Aws, topology: Topology, publisher: Publisher, *, every_s: float = 0.05
) -> AsyncIterator[list[str]]:
    said: list[str] = []
    task = asyncio.create_task(
        keep(aws, topology, publisher, said.append, every_s=every_s)
    )
    try:
        yield said
        assert not task.done(), task.exception()
    finally:
        task.cancel()


async def delete(aws: Aws, topology: Topology) -> None:
    for queue in topology.queues:
        await aws.sqs.delete_queue(QueueUrl=await aws.queue_url(queue.name))


async def test_queues_are_made_and_events_published_again_at_once(aws, topology):
    publisher = Publisher()
    async with keeping(aws, topology, publisher) as said:
        await publisher.until_asked(1)

        await aws.count(topology.queues[0].name)  # refused where there is none
        await asyncio.sleep(0.3)
    assert publisher.asked == 1
    assert said == ["queues are there, 3 events published again"]


async def test_queues_that_are_gone_are_made_anew(aws, topology):
    publisher = Publisher()
    async with keeping(aws, topology, publisher):
        await publisher.until_asked(1)

        await delete(aws, topology)
        await publisher.until_asked(2)

        await aws.count(topology.queues[0].name)  # refused where there is none


async def test_queues_that_somebody_else_made_anew_are_noticed(aws, topology):
    publisher = Publisher()
    async with keeping(aws, topology, publisher, every_s=2):
        await publisher.until_asked(1)
        await asyncio.sleep(1.1)  # when a queue was made is told in seconds

        await delete(aws, topology)
        await provision(aws, topology)

        await publisher.until_asked(2)


async def test_queues_that_go_as_soon_as_they_are_made_are_made_again(
    aws, topology, monkeypatch
):
    async def provision_in_vain(aws: Aws, topology: Topology) -> None:
        monkeypatch.undo()
        await provision(aws, topology)
        await delete(aws, topology)

    monkeypatch.setattr("orderly.keeping.provision", provision_in_vain)
    publisher = Publisher()
    async with keeping(aws, topology, publisher):
        await publisher.until_asked(2)

        await aws.count(topology.queues[0].name)  # refused where there is none


async def test_it_goes_on_until_the_event_logs_answer(aws, topology):
    publisher = Publisher(away=3)
    async with keeping(aws, topology, publisher) as said:
        await publisher.until_asked(4)
        await asyncio.sleep(0.2)

    assert said == [
        "trying until it answers: no database",
        "queues are there, 3 events published again",
    ]
