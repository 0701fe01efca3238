"""What goes away comes back, and so do the services, by themselves."""

from time import monotonic
from uuid import uuid4

import httpx
import pytest

from chassis.testing import eventually
from orderly.stack.stack import Stack
from tests.flows.shop import Shop, an_order

pytestmark = pytest.mark.xdist_group("stack")  # there is one: one worker

# Not the minute that a pool may wait; a crowded machine needs some of these seconds.
BACK_WITHIN_S = 20


async def is_served(shop: Shop, path: str) -> bool:
    try:
        return (await shop.http.get(path)).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


async def test_services_are_back_within_seconds_of_their_database(
    shop: Shop, stack: Stack
):
    sku = await shop.stock_up(10)
    async with stack.without("postgres"):
        spilled = await shop.place(an_order((sku, 1)), key=uuid4().hex)
        assert spilled.status_code == 202, spilled.text

    deadline = monotonic() + BACK_WITHIN_S
    for path in ("/v1/orders", "/v1/inventory/stock", "/v1/accounting/entries"):

        async def served(path: str = path) -> bool:
            return await is_served(shop, path)

        await eventually(served, within_s=deadline - monotonic(), every_s=0.05)
    placed = await shop.place(an_order((sku, 1)), key=uuid4().hex)
    assert placed.status_code in {201, 202}, placed.text
    for order in (placed, spilled):
        assert (await shop.decided(order.json()["id"]))["status"] == "confirmed"
