"""What is looked at once a minute, whether the service is used or not."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from chassis import gauges, metrics, timers
from chassis.database import Database
from chassis.metrics import Standing
from chassis.queues import Aws
from chassis.testing import eventually
from chassis.topology import Queue


@pytest.fixture
async def looking(
    database: Database, aws: Aws, queue: Queue, monkeypatch
) -> AsyncIterator[None]:
    """Often, and though nobody has used the service for long."""
    monkeypatch.setattr(timers, "RESTS_AFTER_S", 0)
    monkeypatch.setattr(gauges, "EVERY_S", 0.05)
    running = asyncio.create_task(gauges.timer(database, aws, [queue]).run(database))
    yield
    running.cancel()


def told(metric: Standing, queue: Queue) -> float | None:
    of_queue = {"queue": queue.name}
    found = (one for one in metric.observe() if one.attributes == of_queue)
    return next((one.value for one in found), None)


@pytest.mark.usefixtures("looking")
async def test_a_dead_letter_is_told_of_while_nobody_uses_the_service(aws, queue):
    async def are_told() -> bool:
        return (
            told(metrics.QUEUE_DEAD_LETTERS, queue) == 1
            and told(metrics.QUEUE_DEPTH, queue) == 0
            and told(metrics.QUEUE_OLDEST, queue) == 0
        )

    url = await aws.queue_url(queue.dead_letters)
    await aws.sqs.send_message(QueueUrl=url, MessageBody="lost")

    await eventually(are_told)


@pytest.mark.usefixtures("looking")
async def test_what_nobody_takes_grows_old(aws, queue):
    url = await aws.queue_url(queue.name)
    await aws.sqs.send_message(QueueUrl=url, MessageBody="kept")
    await aws.receive(queue.name, wait_s=0, hide_s=0)

    async def grows_old() -> bool:
        return (told(metrics.QUEUE_OLDEST, queue) or 0) > 0

    await eventually(grows_old)
    assert told(metrics.QUEUE_DEPTH, queue) == 1
