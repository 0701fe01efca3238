"""The bad days are as bad as they say, and no worse."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from random import Random
from uuid import uuid4

import asyncpg
import pytest

from chassis import queues
from chassis.queues import Aws
from chassis.topology import Queue, Topic, Topology, provision
from tests.chaos.aws_proxy import AwsProxy
from tests.chaos.postgres_proxy import PostgresProxy

TOPIC = Topic(name=f"bad-days-{uuid4().hex[:8]}")
QUEUE = Queue(name=f"bad-days-{uuid4().hex[:8]}", owner="chaos", hears=TOPIC)


@pytest.fixture
async def line(postgres_url: str) -> AsyncIterator[tuple[PostgresProxy, str]]:
    async with PostgresProxy.before(postgres_url) as line:
        yield line


@pytest.fixture
async def aws_proxy(aws_environment: Mapping[str, str]) -> AsyncIterator[AwsProxy]:
    proxy = AwsProxy(aws_environment["AWS_ENDPOINT_URL"], Random(1))
    await proxy.start()
    yield proxy
    await proxy.stop()


@pytest.fixture
async def proxied(
    aws_environment: Mapping[str, str],
    aws_proxy: AwsProxy,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Aws]:
    for name, value in aws_environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_proxy.url)
    async with queues.connect(region="us-east-1", account_id="000000000000") as aws:
        await provision(aws, Topology(topics=(TOPIC,), queues=(QUEUE,)))
        yield aws


@pytest.mark.parametrize(
    ("weather", "is_there"), [("cut_before_commit", False), ("cut_before_answer", True)]
)
async def test_a_commit_is_cut_on_its_way_or_on_its_way_back(
    line: tuple[PostgresProxy, str], postgres_url: str, weather: str, *, is_there: bool
):
    proxy, url = line
    table = f"t{uuid4().hex}"
    connection = await asyncpg.connect(url)
    setattr(proxy.weather, weather, 1.0)
    with pytest.raises((asyncpg.PostgresError, OSError)):
        async with connection.transaction():
            await connection.execute(f"CREATE TABLE {table} ()")

    past = await asyncpg.connect(postgres_url)
    found = await past.fetchval("SELECT to_regclass($1)", table)
    await past.close()

    assert (found is not None) is is_there


async def test_some_connections_lag_behind_others(line: tuple[PostgresProxy, str]):
    proxy, url = line
    proxy.weather.lagging_s = 0.3

    async def connects_in_s() -> float:
        began = time.monotonic()
        connection = await asyncpg.connect(url)
        connection.terminate()
        return time.monotonic() - began

    took_s = await asyncio.gather(*(connects_in_s() for _ in range(8)))

    assert max(took_s) > 3 * min(took_s)


async def test_of_ten_entries_some_fail_and_exactly_the_others_arrive(
    aws_proxy: AwsProxy, proxied: Aws
):
    bodies = [f"entry {number}" for number in range(10)]
    aws_proxy.mood.entries_failed = 0.5

    refused = await proxied.publish(TOPIC.name, bodies)

    aws_proxy.mood.entries_failed = 0
    failed = {bodies[one.index] for one in refused}
    assert 0 < len(failed) < 10
    assert await everything(proxied, 10 - len(failed)) == sorted({*bodies} - failed)


async def test_of_one_entry_all_can_fail(aws_proxy: AwsProxy, proxied: Aws):
    aws_proxy.mood.entries_failed = 1

    refused = await proxied.publish(TOPIC.name, ["alone"])

    assert [(one.index, one.for_ever) for one in refused] == [(0, False)]


async def test_what_is_repeated_comes_again_although_it_was_deleted(
    aws_proxy: AwsProxy, proxied: Aws
):
    await proxied.publish(TOPIC.name, ["once"])
    aws_proxy.mood.repeated = 1
    first = await everything(proxied, 1)
    aws_proxy.mood.repeated = 0

    assert first == ["once"]
    assert await everything(proxied, 1) == ["once"]


async def test_who_is_throttled_or_cut_off_is_told_nothing_else(
    aws_proxy: AwsProxy, proxied: Aws
):
    for trouble in ("refused", "unavailable", "throttled", "answer_lost"):
        setattr(aws_proxy.mood, trouble, 1)
        with pytest.raises(queues.NO_ANSWER):
            await proxied.publish(TOPIC.name, [trouble])
        with pytest.raises(queues.NO_ANSWER):
            await proxied.count(QUEUE.name)
        with pytest.raises(queues.QueueAway):
            await proxied.send(QUEUE.name, trouble, {})
        setattr(aws_proxy.mood, trouble, 0)

    assert await everything(proxied, 2) == ["answer_lost"] * 2


async def everything(aws: Aws, count: int) -> list[str]:
    """So many messages, deleted."""
    found: list[str] = []
    while len(found) < count:
        messages = await aws.receive(QUEUE.name, wait_s=5)
        assert messages, f"only {found}"
        await aws.delete(QUEUE.name, messages)
        found += [message.body for message in messages]
    return sorted(found)
