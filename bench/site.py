"""The stack that is measured: as `make run` starts it, with a database that syncs."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import asyncpg
import httpx

from bench.goods import sku
from bench.load import Load, apply
from bench.usage import Usage, between, stolen_s, usage_by_part
from chassis.testing import eventually
from orderly.stack import postgres
from orderly.stack.folder import Folder
from orderly.stack.ports import Ports
from orderly.stack.processes import Process
from orderly.stack.stack import Stack

COUNTED = ("orders", "inventory", "accounting", "postgres")
PLENTY = 100_000  # the most that one line of a receipt takes
SETTLES_WITHIN_S = 180.0
QUIET_S = 2.0  # what follows the last invoice is part of the order's cost
TOKEN_LASTS_S = 7200


@dataclass
class Measured:
    """What was used between the begin and the end of a block."""

    seconds: float = 0
    stolen_s: float = 0
    usage: dict[str, Usage] = field(default_factory=dict)
    transactions: dict[str, int] = field(default_factory=dict)

    def cpu_ms(self, *parts: str, each: int) -> float:
        return sum(self.usage[part].cpu_s for part in parts) * 1000 / each

    @property
    def stolen_percent(self) -> float:
        """Of a core, that the host gave to others while somebody here had work."""
        return round(100 * self.stolen_s / self.seconds, 1)

    def add(self, part: str, cpu_s: float) -> None:
        """What told by itself how much it used, and has ended."""
        self.usage[part] = Usage(cpu_s=cpu_s, wakeups=0, rss_mb=0)

    @property
    def parts_ms(self) -> dict[str, float]:
        return {name: used.cpu_s * 1000 for name, used in self.usage.items()}


@dataclass(frozen=True, eq=False)
class Site:
    stack: Stack
    token: str
    admin: dict[str, asyncpg.Connection]
    extra: dict[str, Process] = field(default_factory=dict)

    @asynccontextmanager
    async def measuring(self) -> AsyncIterator[Measured]:
        measured = Measured()
        before, commits = usage_by_part(self._pids()), await self._transactions()
        began, stolen = perf_counter(), stolen_s()
        yield measured
        measured.seconds = perf_counter() - began
        measured.stolen_s = stolen_s() - stolen
        measured.usage = between(before, usage_by_part(self._pids()))
        now = await self._transactions()
        measured.transactions = {name: n - commits[name] for name, n in now.items()}

    def _pids(self) -> dict[str, int]:
        processes = {name: part.process for name, part in self.stack.parts.items()}
        return {
            name: process.pid
            for name, process in {**processes, **self.extra}.items()
            if process.running
        }

    async def _transactions(self) -> dict[str, int]:
        found = await self.admin["orders"].fetch(
            "SELECT datname, xact_commit FROM pg_stat_database"
            " WHERE datname NOT LIKE 'template%' AND datname IS NOT NULL"
        )
        return {row["datname"]: row["xact_commit"] for row in found}

    async def memory_mb(self, *parts: str) -> dict[str, float]:
        async with self.measuring() as measured:
            pass
        return {part: round(measured.usage[part].rss_mb, 1) for part in parts}

    async def ask(self, database: str, query: str) -> int:
        return int(await self.admin[database].fetchval(query) or 0)

    async def hold_relay(self) -> None:
        """Have nothing announced: as if another process held the lease."""
        await self.admin["orders"].execute(
            "UPDATE relay_cursor SET holder = gen_random_uuid(),"
            " leased_until = now() + interval '1 day'"
        )

    async def forget_orders(self) -> None:
        """What was only accepted is not announced any more, and the relay goes on."""
        await self.admin["orders"].execute(
            "TRUNCATE orders, order_lines, outbox CASCADE;"
            " UPDATE relay_cursor SET holder = NULL, leased_until = '-infinity'"
        )

    @asynccontextmanager
    async def no_housekeeping(self) -> AsyncIterator[None]:
        """Have autovacuum wait: what falls into one round or the next is chance."""
        await self._vacuum_by_itself("off")
        await eventually(self._is_nothing_vacuumed, within_s=60, every_s=0.25)
        try:
            yield
        finally:
            await self._vacuum_by_itself("on")

    async def _vacuum_by_itself(self, on_or_off: str) -> None:
        await self.admin["orders"].execute(f"ALTER SYSTEM SET autovacuum = {on_or_off}")
        await self.admin["orders"].execute("SELECT pg_reload_conf()")

    async def _is_nothing_vacuumed(self) -> bool:
        at_work = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE backend_type = 'autovacuum worker'"
        )
        return not await self.ask("orders", at_work)

    async def settled(self, orders: int) -> None:
        """Wait until so many orders more are confirmed and invoiced, and all is quiet.

        `orders` counts from the last time that Orders was emptied.
        """

        async def are_settled() -> bool:
            return await self.invoiced() >= orders and not await self.ask(
                "orders", "SELECT count(*) FROM orders WHERE decided_at IS NULL"
            )

        await eventually(are_settled, within_s=SETTLES_WITHIN_S, every_s=0.25)

    async def invoiced(self) -> int:
        """Numbers have no gaps: the last ones tell how many there are."""
        return await self.ask("accounting", "SELECT sum(last) FROM document_series")

    async def stock_up(self, skus: int) -> None:
        port = self.stack.ports.inventory
        # Few at once: a service that has just started lets no more in for long.
        load = Load(
            port=port,
            token=self.token,
            what="stock",
            most=skus,
            seconds=120,
            connections=16,
        )
        (await apply(load)).check()
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}/v1/inventory",
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=60,
            trust_env=False,
        ) as inventory:
            for first in range(0, skus, 200):
                await self._receive(inventory, range(first, min(first + 200, skus)))

    async def _receive(self, inventory: httpx.AsyncClient, numbers: range) -> None:
        line = {"quantity": PLENTY, "unit_cost": 640}
        receipt = {
            "location": "dublin",
            "lines": [{"sku": sku(number), **line} for number in numbers],
            "reference": "bench",
        }
        answer = await inventory.post(
            "receipts", json=receipt, headers={"Idempotency-Key": f"b-{numbers.start}"}
        )
        answer.raise_for_status()

    @contextmanager
    def counting(self, name: str, process: Process) -> Iterator[None]:
        self.extra[name] = process
        try:
            yield
        finally:
            del self.extra[name]


async def _configure(stack: Stack, settings: dict[str, str]) -> None:
    connection = await asyncpg.connect(stack.postgres.url())
    for name, value in settings.items():
        await connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    await connection.close()
    if settings:
        async with stack.without("postgres"):
            pass


@asynccontextmanager
async def a_site(**settings: str) -> AsyncIterator[Site]:
    """With these settings of PostgreSQL besides those of `make run`."""
    folder = Folder(Path(tempfile.mkdtemp(prefix="orderly-bench-")))
    try:
        async with Stack(folder, Ports.free()) as stack:
            await _configure(stack, settings)
            admin = {
                name: await asyncpg.connect(stack.postgres.url(name))
                for name in ("orders", "inventory", "accounting")
            }
            yield Site(stack, stack.signer.token(ttl_s=TOKEN_LASTS_S), admin)
            for connection in admin.values():
                await connection.close()
    finally:
        postgres.forget(folder.path)
        shutil.rmtree(folder.path)
