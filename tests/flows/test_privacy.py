"""What is secret, and who somebody is, stays where it belongs."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from chassis.queues import Aws, Message
from chassis.testing import eventually
from chassis.topology import Queue, Topology, provision
from contracts.orders import OrderPlaced
from contracts.topology import INVENTORY_FROM_ORDERS, TOPOLOGY
from orderly.stack.services import GATEWAY_SECRET, NAMES
from orderly.stack.stack import Stack
from tests.collector import COLLECTED_WITHIN_S, Collector
from tests.flows.shop import JSON, Shop, an_order

pytestmark = pytest.mark.xdist_group("stack")  # there is one: one worker

HOME = {
    "name": "Wilhelmina Quackenbush",
    "line1": "77 Zanzibar Lane",
    "line2": "c/o Thistlewood",
    "city": "Ballyfermoyle",
    "region": "Kilmurphy",
    "postal_code": "ZQ7-9XW",
    "country": "IE",
}
PERSONAL = [value for name, value in HOME.items() if name != "country"]
MAIL = "w.quackenbush@example.test"
FAILING = f"{MAIL}/fails"
GATEWAY = "/v1/accounting/gateway-events"


def for_somebody(*lines: tuple[str, int], reference: str = MAIL) -> JSON:
    return an_order(*lines, ship_to=HOME, reference=reference)


async def place(shop: Shop, order: JSON) -> JSON:
    answer = await shop.place(order, key=uuid4().hex, Prefer="wait=20")
    placed: JSON = answer.json()
    return placed


async def live(shop: Shop) -> None:
    """All that may become of somebody's order."""
    sku = await shop.stock_up(4)
    back = await place(shop, for_somebody((sku, 2)))
    await shop.ship(back["id"])
    await shop.until_order(back["id"], status="shipped")
    await shop.send_back(back["id"], (1, 1, "resellable"))
    await shop.cancel((await place(shop, for_somebody((sku, 1))))["id"])
    rejected = await place(shop, for_somebody(("NO-SUCH", 1)))
    assert rejected["status"] == "rejected"


async def refusals(shop: Shop) -> AsyncIterator[httpx.Response]:
    """What is wrong with these is not told by repeating it."""
    good = for_somebody(("ANY", 1))
    for wrong in (
        {"ship_to": MAIL},
        {"ship_to": {**HOME, "country": HOME["name"]}},
        {"ship_to": {**HOME, "postal_code": [HOME["postal_code"]]}},
        {"ship_to": {**HOME, "name": HOME["name"] * 100}},
        {"channel": HOME["name"], "currency": MAIL, "hold_id": HOME["line1"]},
        {"payment": {"method": HOME["name"], "reference": MAIL}},
        {"lines": [{"sku": HOME["name"], "quantity": MAIL, "unit_price": MAIL}]},
        {"total": 1},
    ):
        yield await post(shop, "/v1/orders", json=good | wrong)
    cut = json.dumps(good)[:-1]
    yield await post(shop, "/v1/orders", content=cut)
    yield await post(shop, "/v1/orders", content=cut + ", " + cut[1:] + "}")
    signed = {"Gateway-Signature": f"t=1,v1={GATEWAY_SECRET}-{MAIL}"}
    yield await shop.http.post(GATEWAY, json={"id": MAIL}, headers=signed)
    token = shop.http.headers["Authorization"]
    for header in (token + "x", token.replace(".", "..", 1), token.split(".")[0]):
        yield await shop.http.get("/v1/orders", headers={"Authorization": header})


async def post(shop: Shop, path: str, **body: Any) -> httpx.Response:
    headers = {"Idempotency-Key": uuid4().hex, "Content-Type": "application/json"}
    request = shop.http.build_request("POST", path, headers=headers, **body)
    return await shop.http.send(request)


@asynccontextmanager
async def database_of(stack: Stack, name: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(await stack.postgres.give_database(name))
    try:
        yield connection
    finally:
        await connection.close()


async def failure(shop: Shop, stack: Stack) -> httpx.Response:
    """The database refuses the row, and would say all of it."""
    async with database_of(stack, "orders") as orders:
        await orders.execute(
            "ALTER TABLE orders ADD CONSTRAINT fails"
            f" CHECK (reference <> '{FAILING}') NOT VALID"
        )
        try:
            order = for_somebody(("ANY", 1), reference=FAILING)
            return await post(shop, "/v1/orders", json=order)
        finally:
            await orders.execute("ALTER TABLE orders DROP CONSTRAINT fails")


async def poison(shop: Shop, stack: Stack) -> str:
    """Somebody's order in a form that nobody reads: what is said of it, but itself."""
    event = {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": "orderly/orders",
        "type": OrderPlaced.type,
        "subject": str(uuid4()),
        "time": "2026-11-21T09:30:00Z",
        "data": {"ship_to": HOME["name"], "reference": [MAIL], HOME["city"]: 1},
    }
    dead = "/v1/inventory/ops/dead-letters"
    async with stack.emulator.connect() as aws:
        await aws.send(INVENTORY_FROM_ORDERS.name, json.dumps([event]), {})
        found = await shop.until_it(dead, lambda page: bool(page["items"]))
        letters = await emptied(aws, INVENTORY_FROM_ORDERS.dead_letters)
    assert letters
    told = [letter["error"] for letter in found["items"]]
    return " ".join(map(str, [*told, *(letter.attributes for letter in letters)]))


async def emptied(aws: Aws, queue: str) -> list[Message]:
    """All the messages of a queue, which has none afterwards."""
    found: list[Message] = []
    while messages := await aws.receive(queue, wait_s=0):
        found += messages
        await aws.delete(queue, messages)
    return found


@asynccontextmanager
async def overheard(stack: Stack) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """What is sent to who listens, but that which says where the goods go."""
    spies = [
        Queue(name=f"spy-{uuid4().hex[:8]}", owner="nobody", hears=topic)
        for topic in TOPOLOGY.topics
    ]

    async def read() -> str:
        bodies = [
            message.body for spy in spies for message in await emptied(aws, spy.name)
        ]
        events = [event for body in bodies for event in json.loads(body)]
        assert {event["source"] for event in events} == {
            f"orderly/{name}" for name in NAMES
        }
        told = [event for event in events if event["type"] != OrderPlaced.type]
        return json.dumps(told)

    async with stack.emulator.connect() as aws:
        await provision(aws, Topology(topics=TOPOLOGY.topics, queues=tuple(spies)))
        yield read


async def announced(stack: Stack) -> str:
    """All events but the one that says where the goods go."""
    told = ""
    for name in NAMES:
        async with database_of(stack, name) as connection:
            query = "SELECT concat(o) FROM outbox o WHERE type <> $1"
            rows = await connection.fetch(query, OrderPlaced.type)
            assert rows, name
            told += "\n".join(row[0] for row in rows)
    return told


async def signalled(shop: Shop, collector: Collector) -> str:
    """Spans and metrics, once those of an order placed now are among them."""
    sku, trace = await shop.stock_up(1), uuid4().hex
    await shop.place(
        for_somebody((sku, 1)),
        key=uuid4().hex,
        Prefer="wait=20",
        traceparent=f"00-{trace}-b7ad6b7169203331-01",
    )

    async def are_there() -> bool:
        of = {span.service for span in collector.trace(trace)}
        return of == {service for service, _ in collector.metrics} == set(NAMES)

    await eventually(are_there, within_s=COLLECTED_WITHIN_S)
    return f"{collector.spans} {collector.metrics}"


async def all_logs(stack: Stack, logged: Mapping[str, int]) -> dict[str, str]:
    """With metrics after what was logged, as they are where logs are all there is."""
    logs: dict[str, str] = {}

    async def have_metrics() -> bool:
        logs.update({name: stack.folder.log(name).read_text() for name in NAMES})
        return all('"_aws"' in log[logged[name] :] for name, log in logs.items())

    await eventually(have_metrics, within_s=COLLECTED_WITHIN_S)
    return logs


async def test_nobody_is_named_where_it_is_not_needed(
    shop: Shop, stack: Stack, collector: Collector
):
    async with overheard(stack) as messages:
        await live(shop)
        refused = [answer async for answer in refusals(shop)]
        refused.append(await failure(shop, stack))
        reason = await poison(shop, stack)
        logged = {name: len(stack.folder.log(name).read_text()) for name in NAMES}
        signals = await signalled(shop, collector)
        places = await all_logs(stack, logged) | {
            "problems": "".join(f"{a.headers} {a.text}" for a in refused),
            "what is said of a dead letter": reason,
            "events": await announced(stack),
            "messages": await messages(),
            "signals": signals,
        }

    assert {answer.is_success for answer in refused} == {False}
    assert refused[-1].status_code == 500
    token = shop.http.headers["Authorization"].removeprefix("Bearer ")
    secrets = [*token.split("."), "postgresql://", "PRIVATE KEY"]
    for place, told in places.items():
        for word in (*PERSONAL, MAIL, *secrets, f"{GATEWAY_SECRET}-"):
            assert word not in told, place
    assert all(places.values())
