"""Many buyers at once, and what must come of it whatever happens meanwhile."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from uuid import uuid4

from chassis.testing import eventually
from tests.flows.shop import JSON, Shop, an_order

BUYERS = 32


async def rush(
    shop: Shop, sku: str, count: int, *, meanwhile: Sequence[Callable[[], None]] = ()
) -> dict[str, set[str]]:
    """Place the orders from 32 connections, a third of them twice; the ids by key.

    What happens meanwhile does so at even distances.
    """
    customer = f"c-{uuid4().hex}"
    orders = {
        uuid4().hex: an_order((sku, 1), customer_id=customer) for _ in range(count)
    }
    intents = [*orders, *random.sample(sorted(orders), count // 3)]
    random.shuffle(intents)
    answers: dict[str, set[str]] = {key: set() for key in orders}
    waiting = enumerate(intents)
    distance = len(intents) // (len(meanwhile) + 1)
    happens = {turn * distance: what for turn, what in enumerate(meanwhile, 1)}

    async def buy() -> None:
        for turn, key in waiting:
            if turn in happens:
                happens[turn]()
            answer = await shop.place(orders[key], key=key)
            assert answer.status_code in {200, 201, 202}, answer.text
            answers[key].add(answer.headers["location"])

    async with asyncio.TaskGroup() as tasks:
        for _ in range(BUYERS):
            tasks.create_task(buy())
    return answers


async def check(shop: Shop, sku: str, answers: dict[str, set[str]], stock: int) -> None:
    """Each key has one order, confirmed and invoiced once, and the books agree."""
    assert all(len(locations) == 1 for locations in answers.values())
    ids = {next(iter(locations)).rpartition("/")[2] for locations in answers.values()}
    count = len(answers)
    assert len(ids) == count
    customer = (await shop.decided(next(iter(ids))))["customer_id"]

    async def until_all(path: str) -> list[JSON]:
        """The customer's, once there are as many of them that are decided."""
        found: list[JSON] = []

        async def are_there() -> bool:
            nonlocal found
            found = await shop.everything(path, customer_id=customer)
            return sum(one.get("status") != "placed" for one in found) >= count

        await eventually(are_there, within_s=shop.patience_s, every_s=1)
        return found

    decided = await until_all("/v1/orders")
    assert Counter(order["id"] for order in decided) == Counter(ids)
    assert Counter(order["status"] for order in decided) == {"confirmed": count}
    assert await shop.stock(sku) == (stock, count)
    invoiced = await until_all("/v1/accounting/invoices")
    assert Counter(invoice["order_id"] for invoice in invoiced) == Counter(ids)
    for totals in await shop.trial_balance():
        assert totals["debit"] == totals["credit"]
