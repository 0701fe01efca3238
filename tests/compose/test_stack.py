"""`docker compose up`, as its users meet it, and while things die."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.compose.conftest import Compose, Failed
from tests.flows.rush import check, rush
from tests.flows.shop import Shop, an_order

pytestmark = [
    pytest.mark.timeout(900),  # the first one builds the images
    pytest.mark.xdist_group("compose"),
]

ORDERS = 100


class Meanwhile:
    """Something that is done while orders are placed."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._work = work
        self._task: asyncio.Task[None] | None = None

    def __call__(self) -> None:
        self._task = asyncio.create_task(self._work())

    async def done(self) -> None:
        assert self._task
        await self._task


async def audited(compose: Compose) -> str:
    """What the audit says; it fails when the services disagree."""
    return await compose("run", "--rm", "orderly", "audit")


async def test_a_token_is_printed_alone(token: str):
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", token)


async def test_demo_products_can_be_ordered_and_the_invoice_printed(shop: Shop):
    placed = await shop.place(an_order(("SOAP-5L", 2)), key="first", Prefer="wait=10")

    order = await shop.decided(placed.json()["id"])
    assert order["status"] == "confirmed"
    invoice, *_ = await shop.invoices(order["id"])
    printed = await shop.http.get(
        f"/v1/accounting/invoices/{invoice['number']}",
        headers={"Accept": "application/pdf"},
    )
    assert printed.content.startswith(b"%PDF")


async def test_orders_is_killed_under_load_and_comes_back(compose: Compose, shop: Shop):
    sku = await shop.stock_up(ORDERS)

    async def kill_and_start() -> None:
        await compose("kill", "--signal=SIGKILL", "orders")
        await compose.up()

    killing = Meanwhile(kill_and_start)
    answers = await rush(shop, sku, ORDERS, meanwhile=[killing])
    await killing.done()

    await check(shop, sku, answers, ORDERS)
    assert "The three services agree" in await audited(compose)


async def test_what_localstack_forgets_under_load_is_published_again(
    compose: Compose, shop: Shop
):
    sku = await shop.stock_up(ORDERS)

    async def restart() -> None:
        await compose("restart", "localstack")

    restarting = Meanwhile(restart)
    answers = await rush(shop, sku, ORDERS, meanwhile=[restarting])
    await restarting.done()

    await check(shop, sku, answers, ORDERS)
    assert "The three services agree" in await audited(compose)


async def test_a_second_inventory_takes_its_share(compose: Compose, shop: Shop):
    await compose.up("--scale=inventory=2", "--no-recreate")
    sku = await shop.stock_up(ORDERS)

    answers = await rush(shop, sku, ORDERS)

    await check(shop, sku, answers, ORDERS)
    replicas = await compose.containers("inventory")
    logs = [await compose.docker("logs", replica) for replica in replicas]
    assert len(logs) == 2
    assert all("Events handled" in log for log in logs)


async def test_the_gateway_finds_the_replica_that_is_left(compose: Compose, shop: Shop):
    first, *_ = await compose.containers("inventory")

    await compose.docker("kill", first)

    async def answers() -> bool:
        asked = [shop.http.get("/v1/inventory/products") for _ in range(20)]
        return {answer.status_code for answer in await asyncio.gather(*asked)} == {200}

    await shop.until(answers)


async def test_services_leave_in_good_order_when_told(compose: Compose):
    await compose("stop", "accounting")

    (accounting,) = (await compose("ps", "--all", "--quiet", "accounting")).split()
    assert (await compose.inspect(accounting))["State"]["ExitCode"] == 0
    assert "Left" in await compose("logs", "--tail=1", "accounting")
    await compose("start", "accounting")


@pytest.mark.parametrize("service", ["orders", "inventory", "accounting"])
async def test_a_service_has_no_more_rights_than_it_needs(compose: Compose, service):
    container, *_ = await compose.containers(service)
    found = await compose.inspect(container)

    host = found["HostConfig"]
    assert found["Config"]["User"] == "10001:10001"
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["NanoCpus"] == 250_000_000
    assert host["Memory"] == host["MemorySwap"] == 512 * 2**20
    with pytest.raises(Failed):
        await compose("exec", "--no-TTY", service, "touch", "/opt/venv/mine")


async def test_nothing_is_left_of_it(compose: Compose):
    await compose.down()

    for kind in ("container", "volume", "network"):
        assert await compose.left(kind) == []
