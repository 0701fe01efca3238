"""Buyers, warehouse and storefronts of a busy day, by a seed.

Some ask twice at once, some come back with the same key, or with the same payment, and
some do not wait for the answer. What they asked and were told is in the history.
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count, cycle
from random import Random
from typing import Any, ClassVar

import httpx

from tests.chaos.system import System
from tests.flows import lives
from tests.flows.shop import JSON, Shop, an_order

SKUS = 8
STOCKED = 40
HOT_UNITS = 30
HOT = "hot"  # the reference of the orders for it, which nobody cancels
BUYERS = 16
PAUSE_S = 0.3  # of a buyer, on average
IMPATIENT_AFTER_S = 0.4
LOOKS, LOOKS_EVERY_S = 12, 0.1
# Those who say nothing of what a clock that jumps may change.
LIVES: Sequence[lives.Life] = (
    lives.bought_and_sent_back,
    lives.sold_out,
    lives.bought_by_a_wholesaler,
    lives.asked_for_too_late,
    lives.bought_by_the_hundred,
    lives.not_understood,
    lives.told_again,
)


@dataclass
class Market:
    shop: Shop
    random: Random
    skus: list[str] = field(default_factory=list)
    hot: str = ""
    manners: Sequence[str] = ()  # of those who come; none: of all kinds
    _number: "count[int]" = field(default_factory=count)

    async def open(self, *, skus: int = SKUS, hot: int = HOT_UNITS) -> None:
        stocked = [*itertools.repeat(STOCKED, skus), hot]
        *self.skus, self.hot = await asyncio.gather(*map(self.shop.stock_up, stocked))

    async def buy(self) -> None:
        """One buyer comes in, and does what one of them does."""
        chosen = {name: self._MANNERS[name] for name in self.manners or self._MANNERS}
        (how,) = self.random.choices(list(chosen), list(chosen.values()))
        await getattr(self, f"_{how}")()

    async def _once(self) -> None:
        await self._place(self._an_order())

    async def _watching(self) -> None:
        if order_id := await self._place(self._an_order()):
            for _ in range(LOOKS):
                await self.shop.ask("GET", f"/v1/orders/{order_id}")
                await asyncio.sleep(LOOKS_EVERY_S)

    async def _hot(self) -> None:
        await self._place(an_order((self.hot, 1), reference=HOT))

    async def _twice_at_once(self) -> None:
        key, order = self._key(), self._an_order()
        await asyncio.gather(*(self.shop.place(order, key=key) for _ in range(2)))

    async def _impatient(self) -> None:
        with contextlib.suppress(TimeoutError, httpx.TransportError):
            async with asyncio.timeout(IMPATIENT_AFTER_S):
                await self.shop.http.post(
                    "/v1/orders",
                    json=self._an_order(),
                    headers={"Idempotency-Key": self._key()},
                )

    async def _same_key_for_another(self) -> None:
        key = self._key()
        await self.shop.place(self._an_order(), key=key)
        await self.shop.place(self._an_order(), key=key)

    async def _same_payment_for_another(self) -> None:
        order = self._an_order(payment_of=self._an_order())
        await self.shop.place(order, key=self._key())
        other = self._an_order(payment_of=order)
        await self.shop.place(other, key=self._key())

    async def _cancelled(self) -> None:
        if order_id := await self._place(self._an_order()):
            lines = self.random.choice((None, [{"line": 1, "quantity": 1}]))
            asked = {"lines": lines, "reason": "no"}
            await self._said("POST", f"/v1/orders/{order_id}/cancellations", asked)

    async def _shipped(self) -> None:
        if order_id := await self._place(self._an_order()):
            await self.shop.decided(order_id)
            await self._ship(order_id)

    async def _sent_back(self) -> None:
        order_id = await self._place(self._an_order())
        if not order_id or (await self.shop.decided(order_id))["status"] == "rejected":
            return
        shipped = await self._ship(order_id)
        if not shipped:
            return
        # Of what has left: others of its lines may have been sold out.
        units = [{"line": shipped["lines"][0]["line"], "quantity": 1}]
        told: JSON | None = None

        async def is_authorised() -> bool:
            nonlocal told
            told = await self._said(
                "POST",
                f"/v1/orders/{order_id}/returns",
                {"lines": units, "reason": "too many"},
            )
            return told is not None

        # Orders hears of the shipment a moment after Inventory has made it.
        await self.shop.until(is_authorised)
        assert told
        receipt = {"order_id": order_id, "return_id": told["id"], "location": "cork"}
        condition = {"condition": self.random.choice(("resellable", "damaged"))}
        receipt |= {"lines": [units[0] | condition]}
        await self._said("POST", "/v1/inventory/return-receipts", receipt)

    async def _held(self) -> None:
        sku = self.random.choice(self.skus)
        wanted = {"lines": [{"sku": sku, "quantity": 1}], "expires_in": 600}
        if hold := await self._said("POST", "/v1/inventory/holds", wanted):
            order = self._an_order() | {"hold_id": hold["id"]}
            await self._place(order)

    async def _received(self) -> None:
        await self.shop.receive(self.random.choice(self.skus), 20)

    # How often each comes, compared with the others.
    _MANNERS: ClassVar[Mapping[str, int]] = {
        "once": 5,
        "watching": 3,
        "hot": 6,
        "twice_at_once": 5,
        "impatient": 4,
        "same_key_for_another": 2,
        "same_payment_for_another": 2,
        "cancelled": 4,
        "shipped": 4,
        "sent_back": 2,
        "held": 2,
        "received": 2,
    }

    async def _place(self, order: JSON) -> str:
        """The order's id, or nothing if it was refused."""
        answer = await self.shop.place(order, key=self._key())
        return answer.headers.get("location", "").rpartition("/")[2]

    async def _ship(self, order_id: str) -> JSON | None:
        parcel = {"order_id": order_id, "carrier": "An Post", "tracking": "CE1"}
        return await self._said("POST", "/v1/inventory/shipments", parcel)

    async def _said(self, method: str, path: str, body: JSON) -> JSON | None:
        """What is answered, unless it is a no: others may have been faster."""
        key = {"Idempotency-Key": self._key()}
        answer = await self.shop.ask(method, path, json=body, headers=key)
        document: JSON = answer.json()
        return document if answer.is_success else None

    def _key(self) -> str:
        return f"{self.random.randrange(10**9)}-{next(self._number)}"

    def _an_order(self, *, payment_of: JSON | None = None) -> JSON:
        some = self.random.sample(self.skus, self.random.choice((1, 1, 2, 3)))
        lines = [(sku, self.random.randint(1, 3)) for sku in some]
        policies = ("all_or_nothing", "allow_partial", "allow_backorder")
        policy = self.random.choices(policies, (6, 2, 2))[0]
        order = an_order(*lines, policy=policy)
        # So that what falls to a unit is no whole number of cents.
        odd = self.random.randint(0, 2)
        order["lines"][0]["tax"] += odd
        order["total"] += odd
        order["payment"]["captured"] += odd
        if payment_of:
            order["payment"]["reference"] = payment_of["payment"]["reference"]
        return order


@asynccontextmanager
async def busy(
    market: Market, system: System, *, buyers: int = BUYERS, with_lives: bool = True
) -> AsyncIterator[Sequence[asyncio.Task[Any]]]:
    """A market at work while the block runs; what is under way then comes to its end.

    The tasks end after the block; whoever waits for them knows how long is too long.
    """
    closed = asyncio.Event()

    async def come_in() -> None:
        while not closed.is_set():
            await market.buy()
            pause_s = market.random.expovariate(1 / PAUSE_S)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(closed.wait(), pause_s)

    async def live() -> None:
        for life in cycle(LIVES):
            if closed.is_set():
                return
            await life(market.shop, system.servers)

    tasks = [asyncio.create_task(come_in()) for _ in range(buyers)]
    if with_lives:
        tasks.append(asyncio.create_task(live()))
    try:
        yield tasks
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    finally:
        closed.set()
