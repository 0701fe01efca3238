import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from structlog.testing import capture_logs

from chassis import feeds, outbox
from chassis.database import Database, DatabaseUnavailable
from chassis.events import Announcement
from chassis.feeds import Feed
from chassis.queues import Aws
from chassis.relay import Relay
from chassis.testing import TokenIssuer, eventually
from contracts.orders import OrderShipped, ShippedLine
from contracts.topology import ORDERS
from orders.api import stream
from orders.commands.placing import place_orders
from orders.main import SERVICE
from orders.store.facts import Fact
from tests.orders.conftest import EVERYTHING
from tests.orders.factories import an_order
from tests.orders.storefront import problem
from tests.served import Served, served

STREAM = "/v1/orders/stream"


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    monkeypatch.setattr(feeds, "POLL_S", 0.05)


@pytest.fixture
async def service(
    database: Database, provisioned: Aws, issuer: TokenIssuer
) -> AsyncIterator[Served]:
    """On a socket: a stream does not end, as answers in memory have to."""
    async with served(SERVICE, database, provisioned, [issuer.trusted]) as service:
        yield service


@pytest.fixture
async def shop(
    service: Served, issuer: TokenIssuer
) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=service.url, timeout=30, trust_env=False
    ) as client:
        client.headers.update(issuer.headers(*EVERYTHING))
        yield client


@pytest.fixture
def feed(service: Served) -> Feed[Fact]:
    found: Feed[Fact] = service.parts.app.state.feed
    return found


class Listening:
    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def next(self) -> dict[str, Any]:
        """The next event; heartbeats are passed over."""
        event: dict[str, Any] = {}
        async with asyncio.timeout(30):
            async for line in self._lines:
                name, _, value = line.partition(": ")
                if name:
                    event[name] = value
                elif "data" in event:
                    return event | {"data": json.loads(event["data"])}
        raise AssertionError("the stream ended")


@asynccontextmanager
async def listening(
    shop: httpx.AsyncClient, **headers: str
) -> AsyncIterator[Listening]:
    async with shop.stream("GET", STREAM, headers=headers) as answer:
        yield Listening(answer)


async def place(database: Database, aws: Aws, **changes: Any) -> str:
    """An order whose fact has its place in the log."""
    order = an_order(**changes)
    await database.transact(place_orders, [order])
    await Relay(database, aws, topic=ORDERS.name, source="orderly/orders").drain()
    return str(order.id)


async def test_facts_are_told_as_they_happen(shop, database, aws):
    async with listening(shop) as stream:
        order_id = await place(database, aws)
        event = await stream.next()

    assert stream.answer.headers["content-type"].startswith("text/event-stream")
    assert event["event"] == "orders.order_placed.v1"
    assert event["data"].items() >= {"subject": order_id, "sequence": 1}.items()
    assert event["data"]["data"]["order_id"] == order_id


async def test_who_comes_again_hears_what_was_missed_once(shop, database, aws):
    async with listening(shop) as stream:
        await place(database, aws)
        last = (await stream.next())["id"]
    missed = [await place(database, aws) for _ in range(3)]

    async with listening(shop, **{"Last-Event-ID": last}) as stream:
        missed.append(await place(database, aws))
        heard = [(await stream.next())["data"]["subject"] for _ in missed]

    assert heard == missed


async def test_a_customer_hears_of_the_own_orders_only(shop, database, aws, allowed):
    async with listening(shop, **allowed(customer="c-1")) as stream:
        await place(database, aws, customer_id="c-2")
        own = await place(database, aws, customer_id="c-1")

        assert (await stream.next())["data"]["subject"] == own


async def test_a_customer_does_not_hear_what_goods_cost(shop, database, aws, allowed):
    order_id = await place(database, aws)
    line = ShippedLine(line=1, quantity=2, cost=1280, cost_currency="EUR")
    shipped = OrderShipped(
        order_id=UUID(order_id),
        shipment_id=uuid4(),
        carrier=None,
        tracking=None,
        lines=(line,),
        shipped_at=datetime.now(UTC),
    )
    async with listening(shop, **allowed(customer="c-42")) as stream:
        async with database.begin() as tx:
            await outbox.publish(tx, [Announcement(shipped, order_id, 2)])
        await Relay(database, aws, topic=ORDERS.name, source="orderly/orders").drain()
        event = await stream.next()

    assert event["data"]["data"]["lines"] == [{"line": 1, "quantity": 2}]


async def test_silence_is_broken_by_a_heartbeat(shop, monkeypatch):
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.1)

    async with listening(shop) as quiet, asyncio.timeout(30):
        lines = quiet.answer.aiter_lines()
        beats = [await anext(lines) for _ in range(4)]

    assert beats == [": still here", "", ": still here", ""]


async def test_a_heartbeat_tells_the_place_so_that_nobody_starts_far_back(
    shop, database, aws, allowed, monkeypatch
):
    async with listening(shop) as stream_of_all:
        await place(database, aws, customer_id="c-2")
        passed = (await stream_of_all.next())["id"]
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.1)

    customer = {**allowed(customer="c-1"), "Last-Event-ID": "0"}
    async with listening(shop, **customer) as quiet, asyncio.timeout(30):
        async for line in quiet.answer.aiter_lines():
            if line == f"id: {passed}":
                break

    assert int(passed) > 0


async def test_leaving_ends_the_stream(shop, feed):
    async with listening(shop) as stream, asyncio.timeout(30):
        feed.close()
        with pytest.raises(AssertionError, match="ended"):
            await stream.next()

    assert problem(await shop.get(STREAM)) == (503, "leaving")


async def test_a_database_that_goes_away_while_one_catches_up_ends_the_stream(
    shop, feed, database, aws, monkeypatch
):
    await place(database, aws)

    async def away(_: int) -> None:
        raise DatabaseUnavailable("The database does not answer.")

    monkeypatch.setattr(feed, "after", away)
    with capture_logs() as logs:
        async with listening(shop, **{"Last-Event-ID": "0"}) as stream:
            with pytest.raises(AssertionError, match="ended"):
                await stream.next()

    assert not [line for line in logs if line["log_level"] == "error"]


async def test_a_token_that_expires_ends_the_stream(shop, issuer):
    soon = issuer.headers("orders.read", exp=int(time.time()) + 1)
    async with listening(shop, **soon) as stream, asyncio.timeout(30):
        with pytest.raises(AssertionError, match="ended"):
            await stream.next()


async def test_listeners_are_bounded(shop, monkeypatch):
    monkeypatch.setattr(feeds, "LISTENERS", 1)

    async with listening(shop):
        answer = await shop.get(STREAM)

    assert problem(answer) == (503, "too_many_waiting")


@pytest.mark.parametrize("made_up", ["-1", "x", "1.5", "9" * 30, "9" * 5000, "²"])
async def test_an_id_that_is_made_up_is_refused(shop, made_up):
    headers = {"Last-Event-ID": made_up.encode()}

    answer = await shop.get(STREAM, headers=headers)

    assert problem(answer) == (400, "last_event_id_malformed")


async def test_nobody_listening_costs_no_query(shop, feed):
    async with listening(shop):
        pass

    async def rests() -> bool:
        return feed._polling.done()  # noqa: SLF001

    await eventually(rests)


async def test_reading_the_stream_needs_its_scope(shop, allowed):
    answer = await shop.get(STREAM, headers=allowed("orders.write"))

    assert problem(answer) == (403, "missing_scope")
