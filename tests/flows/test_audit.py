"""Whether the three services agree, and that it shows when they do not."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
import pytest
from typer.testing import CliRunner

from contracts.topology import ORDERS_FROM_INVENTORY
from orderly.cli import app
from orderly.stack.stack import Stack
from tests.flows.shop import Shop, an_order

pytestmark = pytest.mark.xdist_group("stack")  # there is one: one worker


async def orderly(stack: Stack, *arguments: str) -> tuple[int, str]:
    """The command's exit status, and what it shows; here, as it is slow to start."""
    where = ("--url", stack.url, "--token", stack.signer.token(["ops"]))
    done = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, *where])
    return done.exit_code, done.output


@asynccontextmanager
async def damage(
    stack: Stack, service: str, wrong: str, right: str
) -> AsyncIterator[None]:
    """Change a row behind the service's back, and mend it afterwards."""
    url = stack.services[service].process.env[f"{service.upper()}_DATABASE_URL"]
    database = await asyncpg.connect(url)
    try:
        assert not (await database.execute(wrong)).endswith(" 0")
        try:
            yield
        finally:
            await database.execute(right)
    finally:
        await database.close()


async def placed(shop: Shop, **policy: str) -> str:
    sku = await shop.stock_up(5)
    orders = [an_order((sku, quantity), **policy) for quantity in (3, 2, 9)]
    keys = [uuid4().hex for _ in orders]
    answers = await asyncio.gather(
        *(shop.place(o, key=k) for o, k in zip(orders, keys, strict=True))
    )
    return str(answers[0].json()["id"])


async def test_orders_that_have_just_been_placed_settle_and_agree(
    shop: Shop, stack: Stack
):
    await placed(shop)
    await placed(shop, policy="allow_backorder")
    await placed(shop, policy="allow_partial")

    status, shown = await orderly(stack, "audit")

    assert status == 0, shown
    assert re.search(r"The three services agree: \d+ orders, \d+ checks", shown)


async def test_an_order_that_two_services_tell_differently_is_named(
    shop: Shop, stack: Stack
):
    order_id = await placed(shop)
    await shop.decided(order_id)
    move = (
        "UPDATE order_lines SET reserved = reserved {0} 1, cancelled = cancelled {1} 1"
    )
    where = f" WHERE order_id = '{order_id}'"

    async with damage(
        stack, "orders", move.format("-", "+") + where, move.format("+", "-") + where
    ):
        status, shown = await orderly(stack, "audit", "--patience", "3")

    assert status == 1
    assert (
        f"order {order_id}: units reserved: orders.reserved 2, inventory.reserved 3"
        in shown
    )
    assert (await orderly(stack, "audit"))[0] == 0


async def test_stock_that_its_movements_do_not_explain_is_named(
    shop: Shop, stack: Stack
):
    sku = await shop.stock_up(5)
    change = f"UPDATE stock SET on_hand = {{0}} WHERE sku = '{sku}'"  # noqa: S608

    async with damage(stack, "inventory", change.format(6), change.format(5)):
        status, shown = await orderly(stack, "audit", "--patience", "1")

    assert status == 1
    assert "inventory: movements_make_on_hand does not hold" in shown
    assert f"{sku} cork: expected 5, found 6" in shown


async def test_a_document_that_its_entry_does_not_make_is_named(
    shop: Shop, stack: Stack
):
    order_id = await placed(shop)
    await shop.decided(order_id)
    assert (await orderly(stack, "audit"))[0] == 0
    where = f" WHERE order_id = '{order_id}'"
    change = "UPDATE documents SET net = net {0} 1, total = total {0} 1"
    change += ", paid = paid {0} 1"

    async with damage(
        stack, "accounting", change.format("+") + where, change.format("-") + where
    ):
        status, shown = await orderly(stack, "audit", "--patience", "1")

    assert status == 1
    assert f"order {order_id}: amounts invoiced, posted: accounting.invoiced" in shown
    assert (await orderly(stack, "audit"))[0] == 0


async def test_a_dead_letter_is_shown_counted_and_redriven(stack: Stack):
    queue = ORDERS_FROM_INVENTORY
    async with stack.emulator.connect() as aws:
        await aws.send(queue.dead_letters, "[]", {"error": "ValueError: told so"})

    audited, shown = await orderly(stack, "audit")
    assert (audited, f"{queue.name} has 1 dead letter:" in shown) == (1, True)
    _, shown = await orderly(stack, "dead-letters")
    assert "ValueError: told so" in shown
    _, shown = await orderly(stack, "dead-letters", "redrive", "--all")
    assert "Redriven: 1 dead letter." in shown

    assert "no dead letters" in (await orderly(stack, "dead-letters"))[1]


async def test_an_audit_that_cannot_ask_says_so_by_its_exit_status(stack: Stack):
    for target in (("http://127.0.0.1:9", "x"), (stack.url, "no token")):
        url, token = target
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "orderly", "audit", "--url", url, "--token", token),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        shown, _ = await command.communicate()

        assert command.returncode == 2, shown.decode()
