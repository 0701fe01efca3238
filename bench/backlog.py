"""How a backlog goes once SNS and SQS are back: `python -m bench.backlog`.

Orders are placed at a steady rate while the emulator is down, which is what an hour
without AWS looks like from inside: a long event log. Then it comes back, and orders go
on arriving. Told are: how fast what waited is published, handled and decided, as a
multiple of the rate of arrival; and how long new orders take meanwhile.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from uuid import uuid4

import asyncpg
import httpx
from tests.flows.shop import Shop, an_order

from orderly.stack.stack import Stack

LOOK_EVERY_S = 0.25
DRAINED_WITHIN_S = 120


@dataclass
class Arrivals:
    """Orders that arrive at a rate, and how long each took to be taken."""

    shop: Shop
    sku: str
    rate: float
    took_s: list[float] = field(default_factory=list)
    refused: int = 0

    @asynccontextmanager
    async def arriving(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            arriving = tasks.create_task(self._arrive(tasks))
            yield
            arriving.cancel()

    async def _arrive(self, tasks: asyncio.TaskGroup) -> None:
        began = time.monotonic()
        for number in count():
            await asyncio.sleep(began + number / self.rate - time.monotonic())
            tasks.create_task(self._place())

    async def _place(self) -> None:
        began = time.monotonic()
        answer = await self.shop.http.post(
            "/v1/orders",
            json=an_order((self.sku, 1)),
            headers={"Idempotency-Key": uuid4().hex},
        )
        self.took_s.append(time.monotonic() - began)
        self.refused += not answer.is_success

    def told(self, what: str) -> None:
        ordered = sorted(self.took_s)
        p50, p99 = (ordered[int(len(ordered) * part)] * 1000 for part in (0.5, 0.99))
        sys.stdout.write(
            f"{what:28}{len(ordered):>7} orders{p50:>8.0f} / {p99:.0f} ms"
            f"{self.refused:>6} refused\n"
        )
        sys.stdout.flush()
        self.took_s = []


async def undecided(stack: Stack) -> int:
    url = stack.services["orders"].process.env["ORDERS_DATABASE_URL"]
    database = await asyncpg.connect(url)
    try:
        return int(
            await database.fetchval(
                "SELECT count(*) FROM orders WHERE decided_at IS NULL"
            )
        )
    finally:
        await database.close()


async def drained(stack: Stack, backlog: int, rate: float) -> None:
    """Until no more wait than arrive in a second or two."""
    began, waiting = time.monotonic(), backlog
    while waiting > 2 * rate:
        await asyncio.sleep(LOOK_EVERY_S)
        waiting = await undecided(stack)
        if time.monotonic() - began > DRAINED_WITHIN_S:
            sys.exit(f"{waiting} orders still wait after {DRAINED_WITHIN_S} s")
    took_s = time.monotonic() - began
    # What was decided in that time is the backlog, and what came meanwhile.
    decided = (backlog - waiting) / took_s + rate
    sys.stdout.write(
        f"drained in {took_s:.1f} s: {decided:.0f} orders/s decided,"
        f" {decided / rate:.1f} times the {rate:.0f}/s that arrive\n"
    )


async def main(rate: float, seconds: float) -> None:
    async with Stack.throwaway() as stack:
        headers = {"Authorization": f"Bearer {stack.signer.token()}"}
        async with httpx.AsyncClient(
            base_url=stack.url, headers=headers, timeout=60, trust_env=False
        ) as http:
            shop = Shop(http)
            arrivals = Arrivals(shop, await shop.stock_up(1_000_000), rate)
            async with arrivals.arriving():
                await asyncio.sleep(seconds / 4)
            arrivals.told("as ever")
            async with stack.without("emulator"):
                async with arrivals.arriving():
                    await asyncio.sleep(seconds)
                arrivals.told("without SNS and SQS")
            backlog = await undecided(stack)
            async with arrivals.arriving():
                await drained(stack, backlog, rate)
            arrivals.told("while it drained")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=25, help="orders a second")
    parser.add_argument("--seconds", type=float, default=40, help="without SNS and SQS")
    asked = parser.parse_args()
    asyncio.run(main(asked.rate, asked.seconds))
