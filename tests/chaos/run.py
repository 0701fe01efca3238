"""One run: a load, a nemesis, quiet, and then what must be so."""

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from chassis.database import Database, is_away
from chassis.testing import eventually
from contracts.topology import TOPOLOGY
from orderly.operations import Operations
from orderly.stack.services import NAMES
from tests.chaos import invariants
from tests.chaos.history import Attempt, Recording
from tests.chaos.invariants.evidence import Evidence, Violation, rows
from tests.chaos.invariants.moments import in_a_snapshot
from tests.chaos.invariants.told import PLACE
from tests.chaos.load import HOT_UNITS, Market, busy
from tests.chaos.nemesis import Nemesis
from tests.chaos.system import System
from tests.flows.shop import Shop

SETTLES_WITHIN_S = 60.0
ENOUGH_WITHIN_S = 60.0  # of answers and faults, where everything is slow
SAMPLED_EVERY_S = 1.0
SAMPLED_WITHIN_S = 5.0
TOLD_EVERY_S = 5.0

# What still has to become so: each is the number of things under way.
UNDER_WAY = {
    "orders": (
        ("undecided orders", "SELECT count(*) FROM orders WHERE decided_at IS NULL"),
        (
            "unanswered cancellations",
            "SELECT count(*) FROM cancellations WHERE decided_at IS NULL",
        ),
        ("running batches", "SELECT count(*) FROM batches WHERE status = 'running'"),
    ),
    "inventory": (),
    "accounting": (
        ("parked facts", "SELECT count(*) FROM parked_facts"),
        (
            "documents without a number",
            "SELECT count(*) FROM documents WHERE number IS NULL",
        ),
    ),
}
UNPUBLISHED = """
    SELECT count(*) FROM outbox WHERE position IS NULL
    OR position > (SELECT published FROM relay_cursor WHERE name = 'sns')
"""


@dataclass
class Result:
    """What a run came to, for people to read and for a file to keep."""

    seed: int
    orders: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    met: Counter[str] = field(default_factory=Counter)
    samples: int = 0
    restarts: int = 0
    settled_s: float = 0.0
    violations: list[Violation] = field(default_factory=list)

    def write(self, file: Path) -> None:
        violations = [asdict(violation) for violation in self.violations]
        told = vars(self) | {"violations": violations}
        file.write_text(json.dumps(told, indent=2))


@dataclass
class Trial:
    """A system with its market, its databases in sight, and what is found out."""

    system: System
    market: Market
    nemesis: Nemesis
    databases: dict[str, Database]
    result: Result
    # Of what stands still; what moves on has all the time that there is.
    patience_s: float = SETTLES_WITHIN_S

    @classmethod
    @asynccontextmanager
    async def of(cls, system: System, seed: int) -> AsyncIterator["Trial"]:
        random = Random(seed)
        choice = Random(f"{seed} members")
        history = system.folder / "history.jsonl"
        async with AsyncExitStack() as stack:
            shop = await stack.enter_async_context(
                system.shop(lambda name: choice.choice(system.of(name)), history)
            )
            databases = {
                name: await stack.enter_async_context(system.database(name))
                for name in NAMES
            }
            log = system.folder / "nemesis.jsonl"
            yield cls(
                system,
                Market(shop, random),
                Nemesis(system, Random(f"{seed} nemesis"), log),
                databases,
                Result(seed),
            )

    @property
    def shop(self) -> Shop:
        return self.market.shop

    @property
    def attempts(self) -> list[Attempt]:
        transport = self.shop.http._transport  # noqa: SLF001 - the one we gave it
        assert isinstance(transport, Recording)
        return transport.attempts

    async def run(
        self,
        for_s: float,
        *faults: str,
        at_least: int = 0,
        of_each: int = 0,
        say: Callable[[str], None] = lambda _: None,
        **load: Any,
    ) -> None:
        """Load and faults together for so long, and then until all is quiet.

        Where everything is slow, for longer: until there are so many answers at least,
        and so many of each of these faults.
        """
        await self.market.open()
        async with (
            busy(self.market, self.system, **load) as tasks,
            self._sampled(),
            self.nemesis.at_work(*faults),
        ):
            await self._while_told(for_s, say)
            await self._until_enough(at_least, dict.fromkeys(faults, of_each))
        say("faults are over: waiting until all is quiet")
        await self._come_to_rest(tasks)

    async def conclude(self) -> Result:
        """Find out what does not hold, once everything has come to rest."""
        if await self._settled():
            await self._ask_again()
            await self._settled()
        try:
            await self._check()
        except Exception as error:
            if not is_away(error):
                raise
            self._violated("settles", "a database is away", repr(error))
        self._sum_up()
        return self.result

    async def _settled(self) -> bool:
        """Wait until nothing is under way; what takes too long is a violation."""
        began = moved = now = time.monotonic()
        left: list[str] = []
        while now - began < SETTLES_WITHIN_S and now - moved < self.patience_s:
            before, left = left, await self._under_way()
            now = time.monotonic()
            if not left:
                self.result.settled_s = round(self.result.settled_s + now - began, 1)
                return True
            moved = now if left != before else moved
            await asyncio.sleep(0.3)
        self._violated("settles", f"after {now - began:.0f} s", ", ".join(left))
        return False

    async def _while_told(self, for_s: float, say: Callable[[str], None]) -> None:
        until = time.monotonic() + for_s
        while (left_s := until - time.monotonic()) > 0:
            await asyncio.sleep(min(TOLD_EVERY_S, left_s))
            attempts = self.attempts
            unknown = sum(not attempt.known for attempt in attempts)
            say(
                f"{left_s:4.0f} s to go: {len(attempts):,} answers,"
                f" {unknown:,} of them unknown or 5xx,"
                f" {self.nemesis.done.total()} faults,"
                f" {self.result.samples} snapshots,"
                f" {len(self.result.violations)} violations"
            )

    async def _until_enough(self, answers: int, faults: Mapping[str, int]) -> None:
        async def happened() -> bool:
            return len(self.attempts) >= answers and self.nemesis.done >= Counter(
                faults
            )

        with contextlib.suppress(AssertionError):
            await eventually(happened, within_s=ENOUGH_WITHIN_S)

    async def _come_to_rest(self, tasks: Sequence[asyncio.Task[Any]]) -> None:
        """Whoever began something before the market closed sees it through."""
        done, pending = await asyncio.wait(tasks, timeout=self.patience_s)
        for task in pending:
            where = str(task.get_stack(limit=1))
            task.cancel()
            self._violated("settles", "a buyer still waits", where)
        await asyncio.gather(*pending, return_exceptions=True)
        for task in done:
            if error := task.exception():
                self._violated("clients are told what they expect", repr(error), "")

    @asynccontextmanager
    async def _sampled(self) -> AsyncIterator[None]:
        sampling = asyncio.create_task(self._sample())
        try:
            yield
        finally:
            sampling.cancel()
            (end,) = await asyncio.gather(sampling, return_exceptions=True)
        if isinstance(end, Exception):  # nobody looked any more
            raise end

    async def _sample(self) -> None:
        while True:
            await asyncio.sleep(SAMPLED_EVERY_S)
            for name, database in self.databases.items():
                found = await self._unless_away(in_a_snapshot(name, database))
                if found is not None:
                    self.result.samples += 1
                    self.result.violations += found

    async def _unless_away(self, work: Awaitable[Any]) -> Any:
        try:
            async with asyncio.timeout(SAMPLED_WITHIN_S):
                return await work
        except Exception as error:
            if not is_away(error):
                raise
            return None

    async def _under_way(self) -> list[str]:
        if not await self.system.all_serve():
            return ["a process is not ready"]
        left: list[str] = []
        for name, database in self.databases.items():
            found = await self._unless_away(_under_way_in(name, database))
            left += [f"{name}'s database is away"] if found is None else found
        for queue in TOPOLOGY.queues:
            depth = await self.system.aws.depth(queue.name)
            left += [f"{depth} messages in {queue.name}"] if depth else []
        return left

    async def _ask_again(self) -> None:
        """Whose answer is unknown asks once more: it is one order, there or then."""
        known = {a.key for a in self.attempts if a.known}
        unknown = {
            attempt.key: attempt.asked
            for attempt in self.attempts
            if attempt.key
            and (attempt.method, attempt.path) == PLACE
            and attempt.key not in known
        }
        for key, body in unknown.items():
            await self.shop.place(json.loads(body), key=key)

    async def _check(self) -> None:
        evidence = Evidence(
            self.attempts,
            self.databases,
            self.system,
            self.nemesis.poison,
            self.market.hot,
            HOT_UNITS,
        )
        operations = Operations(self.shop.http)
        self.result.violations += await invariants.disagreements(operations, 0)
        self.result.violations += await invariants.violations(evidence)

    def _violated(self, invariant: str, what: str, where: str) -> None:
        self.result.violations.append(Violation(invariant, what, where))

    def _sum_up(self) -> None:
        result, system = self.result, self.system
        result.answers = Counter(
            str(attempt.status or "no answer") for attempt in self.attempts
        )
        result.orders = len(
            {
                attempt.location
                for attempt in self.attempts
                if (attempt.method, attempt.path) == PLACE and attempt.is_success
            }
        )
        result.faults = self.nemesis.done
        result.met = system.line.met + system.aws_proxy.met
        result.restarts = system.restarts
        result.write(system.folder / "result.json")


async def _under_way_in(name: str, database: Database) -> list[str]:
    left = []
    for what, query in (*UNDER_WAY[name], ("unpublished events", UNPUBLISHED)):
        ((number,),) = await rows(database, query)
        left += [f"{number} {what} in {name}"] if number else []
    return left
