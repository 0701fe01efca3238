"""What a running Orderly tells about itself, taken by a collector of our own."""

import asyncio
import re
from uuid import uuid4

import pytest

from chassis import metrics
from chassis.testing import eventually
from orderly.stack.stack import Stack
from tests.collector import COLLECTED_WITHIN_S, Collector
from tests.flows.conftest import a_shop
from tests.flows.shop import an_order

pytestmark = [
    pytest.mark.xdist_group("stack"),
    pytest.mark.postgres,
    pytest.mark.localstack,
]

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
SERVICES = {"orders", "inventory", "accounting"}
SERVES_SEVERAL = {
    ("orders", "handle orders"),
    ("orders", "publish orderly-orders"),
    ("inventory", "handle orderly-inventory-from-orders"),
    ("inventory", "publish orderly-inventory"),
    ("orders", "handle orderly-orders-from-inventory"),
    ("accounting", "handle orderly-accounting-from-orders"),
    ("accounting", "publish orderly-accounting"),
    ("orders", "handle orderly-orders-from-accounting"),
}
# What placing orders is told by, and no fault.
TOLD = {
    ("orders", "orderly.orders.placed"),
    ("orders", "orderly.orders.decided"),
    ("orders", "orderly.orders.time_to_decide"),
    ("orders", "orderly.orders.time_to_invoice"),
    ("orders", "orderly.batch.size"),
    ("orders", "orderly.batch.waiting"),
    ("inventory", "orderly.units.reserved"),
    ("accounting", "orderly.entries.posted"),
    ("accounting", "orderly.facts.parked"),
    ("accounting", "orderly.facts.missing"),
    *(
        (service, name)
        for service in SERVICES
        for name in (
            "orderly.outbox.lag",
            "orderly.outbox.position",
            "orderly.outbox.published",
            "orderly.events.handled",
            "orderly.events.batch",
            "orderly.queue.age",
            "orderly.queue.depth",
            "orderly.queue.dead_letters",
            "orderly.database.connections",
        )
    ),
}


@pytest.fixture
async def traces(stack: Stack) -> list[str]:
    return await place_six_at_once(stack)


async def place_six_at_once(stack: Stack) -> list[str]:
    """Their traces."""
    traces = [uuid4().hex for _ in range(6)]
    async with a_shop(stack) as shop:
        sku = await shop.stock_up(100)
        answers = await asyncio.gather(
            *(
                shop.place(
                    an_order((sku, 1)),
                    key=uuid4().hex,
                    traceparent=f"00-{trace}-b7ad6b7169203331-01",
                )
                for trace in traces
            )
        )
    assert {answer.status_code for answer in answers} == {201}
    return traces


async def test_the_trace_of_each_order_shows_all_three_services(traces, collector):
    async def there_and_back() -> bool:
        return all(
            _is_complete(collector, trace) and _is_one_tree(collector, trace)
            for trace in traces
        )

    await eventually(there_and_back, within_s=COLLECTED_WITHIN_S)
    assert "Ada" not in str(collector.spans)
    assert "c-42" not in str(collector.spans)


def _is_complete(collector: Collector, trace: str) -> bool:
    """The order went to both, and what they answered came back."""
    told = {(span.service, span.span.name) for span in collector.trace(trace)}
    return told >= {
        ("orders", "POST /v1/orders"),
        ("orders", "handle orders"),
        ("inventory", "handle orderly-inventory-from-orders"),
        ("accounting", "handle orderly-accounting-from-orders"),
        ("orders", "handle orderly-orders-from-inventory"),
        ("orders", "handle orderly-orders-from-accounting"),
    }


def _is_one_tree(collector: Collector, trace: str) -> bool:
    """Once the last has come: a service may be told of sooner than who caused it."""
    spans = collector.trace(trace)
    ids = {span.span.span_id for span in spans}
    roots = [span for span in spans if span.span.parent_span_id not in ids]
    return [root.span.name for root in roots] == ["POST /v1/orders"]


async def test_logs_of_all_three_have_one_name_for_an_order(stack: Stack):
    async with a_shop(stack) as shop:
        sku = await shop.stock_up(1)
        placed = await shop.place(an_order((sku, 1)), key=uuid4().hex)
        id_ = placed.json()["id"]
        await shop.until_order(id_, status="confirmed")
        await shop.ask("POST", f"/v1/orders/{id_}/returns", json={})

    async def all_tell_of_it() -> bool:
        return all(_about(stack, service, id_) for service in SERVICES)

    await eventually(all_tell_of_it, within_s=30)
    lines = [line for service in SERVICES for line in _about(stack, service, id_)]
    names = [set(re.findall(rf"(\w+)={id_}", line)) for line in lines]
    assert names == [{"order_id"}] * len(lines)
    for said in ("Orders placed", "Events handled", "Request answered"):
        assert any(said in line for line in lines)


def _about(stack: Stack, service: str, id_: str) -> list[str]:
    lines = COLOURS.sub("", stack.folder.log(service).read_text()).splitlines()
    return [line for line in lines if id_ in line]


async def test_what_is_done_for_several_orders_is_linked_to_their_traces(
    stack, collector
):
    """From the batch that placed them to the one that heard of their invoices."""
    traces: set[str] = set()

    # Who meets whom in a batch is left to chance: more come until all have met.
    async def linked() -> bool:
        traces.update(await place_six_at_once(stack))
        return {
            (span.service, span.span.name)
            for span in collector.spans
            if len(span.linked.intersection(traces)) > 1
        } >= SERVES_SEVERAL

    await eventually(linked, within_s=COLLECTED_WITHIN_S, every_s=2)


@pytest.mark.usefixtures("traces")
async def test_metrics_arrive_by_their_names(collector):
    async def all_told() -> bool:
        return collector.metrics.keys() >= TOLD

    await eventually(all_told, within_s=90)
    for _, name in list(collector.metrics):  # others come meanwhile
        assert name in metrics.REGISTRY
