"""An order whose event is stuck shows it, whoever's queue it is in, until it works."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
import pytest

from orderly.stack.stack import Stack
from orderly.tokens import CLIENT_ID
from orders.domain.orders import order_id
from tests.flows.shop import JSON, Shop, an_order
from tests.flows.test_audit import orderly

pytestmark = pytest.mark.xdist_group("stack")  # there is one: one worker


@asynccontextmanager
async def unable_to_write(
    stack: Stack, service: str, table: str, rule: str
) -> AsyncIterator[None]:
    """While its database refuses what breaks this rule, as a bug of ours would."""
    url = stack.services[service].process.env[f"{service.upper()}_DATABASE_URL"]
    database = await asyncpg.connect(url)
    change = f"ALTER TABLE {table} {{}} CONSTRAINT breakage"
    try:
        await database.execute(f"{change.format('ADD')} CHECK ({rule}) NOT VALID")
        try:
            yield
        finally:
            await database.execute(change.format("DROP"))
    finally:
        await database.close()


async def letters_about(stack: Stack, order: str) -> list[JSON]:
    status, shown = await orderly(stack, "dead-letters", "--json")
    assert status == 0, shown
    items: list[JSON] = json.loads(shown)["items"]
    return [item for item in items if (item["event"] or {}).get("subject") == order]


@pytest.mark.parametrize(
    ("service", "table", "rule"),
    [
        ("orders", "order_lines", "order_id <> '{0}' OR reserved = 0"),
        ("inventory", "reservations", "order_id <> '{0}'"),
        ("accounting", "order_cursors", "order_id <> '{0}'"),
    ],
)
async def test_an_order_shows_its_stuck_event_until_it_is_redriven_and_handled(
    shop: Shop, stack: Stack, service: str, table: str, rule: str
):
    sku, key = await shop.stock_up(5), uuid4().hex
    order = str(order_id(CLIENT_ID, key))

    async with unable_to_write(stack, service, table, rule.format(order)):
        await shop.place(an_order((sku, 2)), key=key)
        await shop.until_order(order, attention="event_stuck")
        letters = await letters_about(stack, order)

    assert {letter["service"] for letter in letters} == {service}
    assert all("breakage" in letter["error"] for letter in letters)

    async def all_is_handled() -> bool:
        """Also what was put aside after the look."""
        if ids := [letter["id"] for letter in await letters_about(stack, order)]:
            status, shown = await orderly(stack, "dead-letters", "redrive", *ids)
            assert status == 0, shown
        now = await shop.get(f"/v1/orders/{order}")
        return not ids and (now["status"], now["attention"]) == ("confirmed", None)

    await shop.until(all_is_handled)
