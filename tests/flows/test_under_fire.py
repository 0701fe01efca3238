"""Many orders at once, while things die: nothing is lost, nothing is doubled."""

import asyncio
import json
import signal
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from chassis.queues import Aws
from contracts.topology import INVENTORY_FROM_ORDERS
from orderly.stack.stack import Stack
from tests.flows.rush import check, rush
from tests.flows.shop import JSON, Shop, an_order

pytestmark = pytest.mark.xdist_group("stack")  # there is one: one worker


async def test_500_orders_at_once_with_repeats(shop: Shop):
    sku = await shop.stock_up(600)

    answers = await rush(shop, sku, 500)

    await check(shop, sku, answers, 600)


async def test_each_part_is_killed_while_orders_come(shop: Shop, stack: Stack):
    sku = await shop.stock_up(200)

    def kill(victim: str) -> None:
        stack.parts[victim].process.send_signal(signal.SIGKILL)

    victims = ("orders", "inventory", "accounting", "emulator")
    answers = await rush(
        shop, sku, 200, meanwhile=[partial(kill, victim) for victim in victims]
    )

    await check(shop, sku, answers, 200)


async def test_orders_are_taken_while_inventory_is_away(shop: Shop, stack: Stack):
    sku = await shop.stock_up(20)
    async with stack.without("inventory"):
        placed = [
            await shop.place(an_order((sku, 1)), key=uuid4().hex) for _ in range(20)
        ]
        assert {answer.status_code for answer in placed} == {201}
        assert {answer.json()["status"] for answer in placed} == {"placed"}

    decided = [await shop.decided(answer.json()["id"]) for answer in placed]

    assert {order["status"] for order in decided} == {"confirmed"}
    assert await shop.stock(sku) == (20, 20)


async def test_poison_is_put_aside_and_the_orders_around_it_go_through(
    shop: Shop, stack: Stack
):
    sku = await shop.stock_up(20)
    poison = [
        "not json",
        json.dumps(
            [{"specversion": "1.0", "id": "no-uuid", "type": "orders.order_placed.v1"}]
        ),
        json.dumps([cloud_event("orders.order_placed.v999", {})]),
        json.dumps([cloud_event("orders.order_placed.v1", {"order_id": "?"})]),
    ]
    async with stack.emulator.connect() as aws:
        placing = rush_of(shop, sku, 20)
        for body in poison:
            await aws.send(INVENTORY_FROM_ORDERS.name, body, {})
        answers = await placing

        statuses = [(await shop.decided(a.json()["id"]))["status"] for a in answers]
        dead = await dead_letters(aws, len(poison))

    assert statuses == ["confirmed"] * 20
    assert {body for body, _ in dead} == set(poison)
    assert all(reason for _, reason in dead)


async def rush_of(shop: Shop, sku: str, count: int) -> list[Any]:
    return await asyncio.gather(
        *(shop.place(an_order((sku, 1)), key=uuid4().hex) for _ in range(count))
    )


def cloud_event(type_: str, data: JSON) -> JSON:
    return {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": "orderly/orders",
        "type": type_,
        "subject": str(uuid4()),
        "time": "2026-11-21T10:00:00+00:00",
        "data": data,
    }


async def dead_letters(aws: Aws, count: int) -> list[tuple[str, str]]:
    """What is in Inventory's dead letters, with the reasons."""
    found: dict[str, tuple[str, str]] = {}
    async with asyncio.timeout(30):
        while len(found) < count:
            for message in await aws.receive(
                INVENTORY_FROM_ORDERS.dead_letters, wait_s=1
            ):
                found[message.id] = (message.body, message.attributes.get("error", ""))
    return list(found.values())


async def test_what_the_queues_forget_is_published_again(shop: Shop, stack: Stack):
    sku = await shop.stock_up(20)
    async with stack.without("inventory"):
        placed = [
            await shop.place(an_order((sku, 1)), key=uuid4().hex) for _ in range(20)
        ]
        # The queues forget what Inventory has not heard yet.
        stack.emulator.process.send_signal(signal.SIGKILL)

    decided = [await shop.decided(answer.json()["id"]) for answer in placed]

    assert {order["status"] for order in decided} == {"confirmed"}
