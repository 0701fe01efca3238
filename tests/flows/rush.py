"""Many buyers at once, and what must come of it whatever happens meanwhile."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from uuid import uuid4

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
    ids = [next(iter(locations)).rpartition("/")[2] for locations in answers.values()]
    count = len(answers)
    assert len(set(ids)) == count
    decided = await asyncio.gather(*map(shop.decided, ids))
    assert Counter(order["status"] for order in decided) == {"confirmed": count}
    assert await shop.stock(sku) == (stock, count)
    customers = {order["customer_id"] for order in decided}
    invoiced: list[JSON] = []

    async def all_are_invoiced() -> bool:
        nonlocal invoiced
        invoiced = [
            invoice
            for customer in customers  # theirs alone: others' have piled up by now
            for invoice in await shop.everything(
                "/v1/accounting/invoices", customer_id=customer
            )
            if invoice["order_id"] in ids
        ]
        return len(invoiced) >= count

    await shop.until(all_are_invoiced)
    assert Counter(invoice["order_id"] for invoice in invoiced) == Counter(ids)
    for totals in await shop.trial_balance():
        assert totals["debit"] == totals["credit"]
