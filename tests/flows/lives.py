"""What buyers, warehouse, bookkeepers and gateway do all day, with every message in it.

Each life ends when the system has said its last word about it; whoever dies meanwhile
is asked again, with the same key.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID, uuid4

import asyncpg

from accounting.api.signatures import signature
from chassis.events import Event, to_wire
from chassis.topology import Queue
from contracts.accounting import FactsMissing
from contracts.inventory import ReservationChanged
from contracts.orders import OrderPlaced
from contracts.topology import (
    ACCOUNTING_FROM_ORDERS,
    INVENTORY_FROM_ORDERS,
    ORDERS_FROM_ACCOUNTING,
    ORDERS_FROM_INVENTORY,
    TOPOLOGY,
)
from orderly.stack.emulator import Emulator
from orderly.stack.postgres import Postgres
from orderly.stack.services import GATEWAY_SECRET
from tests.flows.shop import JSON, Shop, an_order
from tests.orders.factories import on_the_wire

HEARD_WITHIN = timedelta(minutes=1)  # what is told again
_ABOUT_ORDERS: Mapping[Queue, type[Event]] = {
    INVENTORY_FROM_ORDERS: OrderPlaced,
    ACCOUNTING_FROM_ORDERS: OrderPlaced,
    ORDERS_FROM_INVENTORY: ReservationChanged,
}


class HasServers(Protocol):
    """What lives are led on: a stack, or what else has an emulator and a PostgreSQL."""

    @property
    def emulator(self) -> Emulator: ...

    @property
    def postgres(self) -> Postgres: ...


Life = Callable[[Shop, HasServers], Awaitable[None]]


async def place(shop: Shop, *lines: tuple[str, int], **changes: Any) -> JSON:
    """An order, once it is decided."""
    answer = await shop.place(an_order(*lines, **changes), key=uuid4().hex)
    assert answer.status_code in {200, 201, 202}, answer.text
    return await shop.decided(answer.headers["location"].rpartition("/")[2])


async def bought_and_sent_back(shop: Shop, _: HasServers) -> None:
    sku = await shop.stock_up(6)
    order = await place(shop, (sku, 2), (sku, 1))
    await shop.ship(order["id"], [{"line": 1, "quantity": 1}])
    await shop.until_order(order["id"], status="partially_shipped")
    await shop.cancel(order["id"], [{"line": 2, "quantity": 1}])
    await shop.ship(order["id"])
    await shop.until_order(order["id"], status="shipped")
    await shop.send_back(order["id"], (1, 1, "resellable"))
    refunds: Sequence[JSON] = []

    async def both_are_owed() -> bool:
        nonlocal refunds
        refunds = await shop.everything("/v1/accounting/refunds", order_id=order["id"])
        return len(refunds) == 2

    await shop.until(both_are_owed)
    for refund in refunds:
        await gateway_says(
            shop,
            "refund.settled",
            refund_id=refund["id"],
            **{name: refund[name] for name in ("amount", "currency")},
        )
    await shop.until_it(
        f"/v1/orders/{order['id']}",
        lambda now: now["payment"]["status"] == "partly_refunded",
    )


async def asked_for_too_late(shop: Shop, _: HasServers) -> None:
    """The goods leave while the cancellation is on its way, or before, or after."""
    sku = await shop.stock_up(1)
    order = await place(shop, (sku, 1))
    path = f"/v1/orders/{order['id']}/cancellations"
    parcel = {"order_id": order["id"], "carrier": "An Post", "tracking": "CE1"}
    asked, shipped = await asyncio.gather(
        shop.ask("POST", path, json={"reason": "no"}, headers=a_key()),
        shop.ask("POST", "/v1/inventory/shipments", json=parcel, headers=a_key()),
    )
    assert {asked.status_code, shipped.status_code} <= {201, 202, 409}
    await shop.until_it(
        f"/v1/orders/{order['id']}",
        lambda now: now["status"] in {"shipped", "cancelled"},
    )


async def not_understood(shop: Shop, stack: HasServers) -> None:
    """Accounting asks for facts that it has: Orders tells them again, all the same."""
    sku = await shop.stock_up(1)
    order = await place(shop, (sku, 1))
    missing = FactsMissing(order_id=UUID(order["id"]), from_sequence=1)
    async with stack.emulator.connect() as aws:
        await aws.send(ORDERS_FROM_ACCOUNTING.name, on_the_wire(missing), {})


def a_key() -> dict[str, str]:
    return {"Idempotency-Key": uuid4().hex}


async def gateway_says(shop: Shop, type_: str, **details: Any) -> None:
    event = {
        "id": f"evt_{uuid4().hex}",
        "type": type_,
        "occurred_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **details,
    }
    raw, now = json.dumps(event).encode(), int(time.time())
    signed = f"t={now},v1={signature(raw, secret=GATEWAY_SECRET, at=now)}"
    headers = {"Gateway-Signature": signed, "Content-Type": "application/json"}

    async def is_taken() -> bool:
        """It tells it again until then: whose clock is wrong for a while refuses it."""
        answer = await shop.ask(
            "POST", "/v1/accounting/gateway-events", content=raw, headers=headers
        )
        return answer.status_code == 200

    await shop.until(is_taken)


async def sold_out(shop: Shop, _: HasServers) -> None:
    sku = await shop.stock_up(1)
    order = await place(shop, (sku, 2))
    assert order["status"] == "rejected"
    await shop.until_some("/v1/accounting/refunds", order_id=order["id"])


async def bought_by_a_wholesaler(shop: Shop, _: HasServers) -> None:
    sku = await shop.stock_up(1)
    terms = {"method": "terms", "net_days": 30}
    order = await place(
        shop, (sku, 3), channel="wholesale", policy="allow_backorder", payment=terms
    )
    await shop.receive(sku, 2)
    await shop.until_it(
        f"/v1/orders/{order['id']}", lambda now: now["lines"][0]["reserved"] == 3
    )
    await shop.ship(order["id"])
    (invoice,) = await shop.invoices(order["id"])
    payment = {
        "customer_id": order["customer_id"],
        "amount": invoice["total"],
        "currency": "EUR",
        "reference": uuid4().hex,
        "invoices": [invoice["number"]],
    }
    await shop.post("/v1/accounting/payments", payment)
    await shop.until_it(
        f"/v1/orders/{order['id']}", lambda now: now["payment"]["status"] == "paid"
    )


async def held_before_it_was_bought(shop: Shop, _: HasServers) -> None:
    sku = await shop.stock_up(4)
    wanted = {"lines": [{"sku": sku, "quantity": 2}], "expires_in": 600}
    kept = await shop.post("/v1/inventory/holds", wanted)
    order = await place(shop, (sku, 2), hold_id=kept["id"])
    assert order["status"] == "confirmed"
    given_back = await shop.post("/v1/inventory/holds", wanted)
    path = f"/v1/inventory/holds/{given_back['id']}"
    assert (await shop.ask("DELETE", path)).status_code == 204
    loss = {"location": "cork", "sku": sku, "delta": -1, "reason": "broken"}
    await shop.post("/v1/inventory/adjustments", loss)
    assert await shop.stock(sku) == (3, 2)


async def bought_while_the_database_was_silent(shop: Shop, stack: HasServers) -> None:
    """The queue takes the order; it is placed when the database answers again."""
    sku = await shop.stock_up(1)
    somebody = await asyncpg.connect(stack.postgres.url("orders"))
    try:
        async with somebody.transaction():
            await somebody.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
            taken = await shop.place(an_order((sku, 1)), key=uuid4().hex)
    finally:
        await somebody.close()
    assert taken.status_code == 202, taken.text
    order = await shop.decided(taken.json()["id"])
    assert order["status"] == "confirmed", order


async def bought_by_the_hundred(shop: Shop, _: HasServers) -> None:
    sku = await shop.stock_up(10)
    rows = [an_order((sku, 1), idempotency_key=uuid4().hex) for _ in range(5)]
    content = "".join(json.dumps(row) + "\n" for row in rows)
    answer = await shop.ask(
        "POST",
        "/v1/orders/batches",
        content=content,
        headers={
            "Idempotency-Key": uuid4().hex,
            "Content-Type": "application/x-ndjson",
        },
    )
    assert answer.status_code == 202, answer.text
    batch = await shop.until_it(
        answer.headers["location"], lambda now: now["status"] == "completed"
    )
    assert batch["placed"] == len(rows), batch


async def nothing_ordered(shop: Shop, _: HasServers) -> None:
    """What was begun for a batch without a row is thrown away."""
    answer = await shop.ask(
        "POST",
        "/v1/orders/batches",
        content="\n",
        headers=a_key() | {"Content-Type": "application/x-ndjson"},
    )
    assert answer.status_code == 422, answer.text


async def put_aside_and_redriven(shop: Shop, stack: HasServers) -> None:
    """Poison that stays poison, at every queue; what is about orders, they tell.

    Only the newest of it: what is put aside again piles up.
    """
    for queue in TOPOLOGY.queues:
        async with stack.emulator.connect() as aws:
            await aws.send(queue.name, _poison(queue), {})
        letters = f"/v1/{queue.owner}/ops/dead-letters"
        found = await shop.until_it(letters, lambda now: bool(now["items"]))
        newest = max(found["items"], key=lambda letter: letter["last_seen"] or "")
        answer = await shop.ask(
            "POST", f"{letters}/redrive", json={"ids": [newest["id"]]}
        )
        assert answer.status_code == 200, answer.text


def _poison(queue: Queue) -> str:
    told = _ABOUT_ORDERS.get(queue)
    return f"[{_an_unreadable(told)}]" if told else f"no event {uuid4()}"


def _an_unreadable(told: type[Event]) -> str:
    """Of a version that nobody can read, and of an order that nobody has placed."""
    return to_wire(
        id=uuid4(),
        source="orderly/nobody",
        type=f"{told.type}999",
        subject=str(uuid4()),
        time=datetime.now(UTC),
        sequence=None,
        traceparent=None,
        data="{}",
    )


async def told_again(shop: Shop, _: HasServers) -> None:
    """Nobody is impressed by what was heard a little while before."""
    since = datetime.now(UTC) - HEARD_WITHIN
    for service in ("orders", "inventory", "accounting"):
        answer = await shop.ask(
            "POST",
            f"/v1/{service}/ops/replay",
            json={"from": since.isoformat()},
            headers=a_key(),
        )
        assert answer.status_code == 202, answer.text
        await shop.until_it(
            answer.headers["location"], lambda now: now["status"] == "completed"
        )


LIVES: Sequence[Life] = (
    bought_and_sent_back,
    sold_out,
    asked_for_too_late,
    not_understood,
    bought_by_a_wholesaler,
    held_before_it_was_bought,
    bought_by_the_hundred,
    nothing_ordered,
    put_aside_and_redriven,
    told_again,
)
