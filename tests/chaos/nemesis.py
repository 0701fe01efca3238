"""What happens to a running system, by a seed: each kind in turn, some together."""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, TypeAlias
from uuid import uuid4

import asyncpg

from chassis.testing import eventually
from contracts.topology import TOPOLOGY
from tests.chaos.system import VISIBILITY_S, Member, System

LANES = 3  # as many faults at once
LASTS_S = (1.0, 4.0)
PAUSE_S = (0.2, 2.0)
QUIET_EVERY_S = 15.0
QUIET_S = 3.0
BACK_WITHIN_S = 8.0
MENDED_WITHIN_S = 30.0
POISON = "no event"
GIVES_UP_LOCKING_AFTER_S = 3.0
BUSY_TABLES = (
    ("orders", "orders"),
    ("orders", "outbox"),
    ("inventory", "stock"),
    ("inventory", "inbox"),
    ("accounting", "entries"),
    ("accounting", "relay_cursor"),
)
AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError)

Fault: TypeAlias = Callable[["Nemesis"], Awaitable[str]]


class Nemesis:
    def __init__(self, system: System, random: Random, log: Path) -> None:
        self.system = system
        self.random = random
        self.done: Counter[str] = Counter()
        self.poison: set[str] = set()
        self._log = log
        self._began = time.monotonic()
        self._deck: list[str] = []
        self._unquiet = asyncio.Event()
        self._unquiet.set()
        self._at_server = asyncio.Lock()

    @asynccontextmanager
    async def at_work(self, *kinds: str) -> AsyncIterator[None]:
        """Faults of these kinds, or of all, until the block ends; none afterwards."""
        lanes = [asyncio.create_task(self._deal(kinds)) for _ in range(LANES)]
        lanes.append(asyncio.create_task(self._be_quiet_at_times()))
        try:
            yield
        finally:
            for lane in lanes:
                lane.cancel()
            ends = await asyncio.gather(*lanes, return_exceptions=True)
        faults = [end for end in ends if not isinstance(end, asyncio.CancelledError)]
        assert not faults, faults  # of its own

    async def once(self, kind: str) -> None:
        began = time.monotonic() - self._began
        target = "cut short"
        try:
            target = await (FAULTS[kind](self) if kind != NOTHING else _nothing(self))
        finally:
            self.done[kind] += 1
            line = {
                "fault": kind,
                "at": target,
                "from": round(began, 3),
                "to": round(time.monotonic() - self._began, 3),
            }
            with self._log.open("a") as log:
                log.write(json.dumps(line) + "\n")

    async def _deal(self, kinds: tuple[str, ...]) -> None:
        while True:
            await self._unquiet.wait()
            if not self._deck:
                self._deck = self.random.sample(
                    list(kinds or FAULTS), len(kinds or FAULTS)
                )
            await self.once(self._deck.pop())
            await asyncio.sleep(self.random.uniform(*PAUSE_S))

    async def _be_quiet_at_times(self) -> None:
        while True:
            await asyncio.sleep(QUIET_EVERY_S)
            self._unquiet.clear()
            await asyncio.sleep(QUIET_S)
            self._unquiet.set()

    async def last(self) -> None:
        await asyncio.sleep(self.random.uniform(*LASTS_S))

    def somebody(self) -> Member:
        return self.random.choice(list(self.system.members.values()))

    @asynccontextmanager
    async def alone_at_server(self) -> AsyncIterator[None]:
        async with self._at_server:
            yield


def _signalled(number: signal.Signals) -> Fault:
    async def send(nemesis: Nemesis) -> str:
        member = nemesis.somebody()
        member.process.send_signal(number)
        return member.name

    return send


async def _stopped(nemesis: Nemesis) -> str:
    """Longer than its messages are hidden: others take them, and then it goes on."""
    member = nemesis.somebody()
    member.process.send_signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(VISIBILITY_S + nemesis.random.uniform(1, 3))
    finally:
        member.process.send_signal(signal.SIGCONT)
    return member.name


def _server_signalled(number: signal.Signals) -> Fault:
    async def send(nemesis: Nemesis) -> str:
        server = nemesis.system.servers.postgres

        async def is_back() -> bool:
            return bool(await _asked_server(nemesis, "SELECT 1"))

        async with nemesis.alone_at_server():
            server.process.send_signal(number)
            # If it were always away, nothing else could go wrong.
            try:
                await eventually(is_back, within_s=BACK_WITHIN_S)
            except AssertionError:  # it waits for somebody who does not hear
                server.process.send_signal(signal.SIGQUIT)
            await nemesis.last()
        return "postgres"

    return send


async def _backends_terminated(nemesis: Nemesis) -> str:
    ended = await _asked_server(
        nemesis,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
    )
    return f"{len(ended)} connections"


async def _backend_killed(nemesis: Nemesis) -> str:
    """All the others fall with it: PostgreSQL trusts shared memory no more."""
    async with nemesis.alone_at_server():
        pids = await _asked_server(
            nemesis,
            "SELECT pid FROM pg_stat_activity"
            " WHERE application_name IN ('orders', 'inventory', 'accounting')",
        )
        if pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(nemesis.random.choice(pids), signal.SIGKILL)
        return f"{len(pids[:1])} backend"


async def _asked_server(nemesis: Nemesis, *queries: str) -> list[Any]:
    """The first column of the last; nothing, if there is no server just now."""
    url = nemesis.system.servers.postgres.url()
    try:
        connection = await asyncpg.connect(url, timeout=5)
        try:
            answers = [await connection.fetch(query) for query in queries]
            return [row[0] for row in answers[-1]]
        finally:
            connection.terminate()
    except AWAY:
        return []


async def _read_only(nemesis: Nemesis) -> str:
    """As the writer that one knew is after a failover."""

    async def set_to(value: str) -> bool:
        return bool(
            await _asked_server(
                nemesis,
                f"ALTER SYSTEM SET default_transaction_read_only = {value}",
                "SELECT pg_reload_conf()",
            )
        )

    async with nemesis.alone_at_server():
        try:
            await set_to("on")
            await _backends_terminated(nemesis)
            await nemesis.last()
        finally:
            await eventually(partial(set_to, "off"), within_s=MENDED_WITHIN_S)
    return "postgres"


async def _table_locked(nemesis: Nemesis) -> str:
    """By somebody who is at it for long: connections wait until none is left."""
    service, table = nemesis.random.choice(BUSY_TABLES)
    with contextlib.suppress(*AWAY):
        somebody = await asyncpg.connect(nemesis.system.urls[service], timeout=5)
        try:
            async with asyncio.timeout(GIVES_UP_LOCKING_AFTER_S):
                await somebody.execute(f"BEGIN; LOCK {table} IN ACCESS EXCLUSIVE MODE")
            await nemesis.last()
        finally:
            somebody.terminate()
    return table


async def _names_unknown(nemesis: Nemesis) -> str:
    """Whoever has to connect anew finds nobody."""
    members = list(nemesis.system.members.values())
    for member in members:
        member.nameless.touch()
    try:
        nemesis.system.line.cut_all()
        await nemesis.last()
    finally:
        for member in members:
            member.nameless.unlink(missing_ok=True)
    return "every process"


@contextmanager
def _set(thing: Any, **values: Any) -> Iterator[None]:
    for name, value in values.items():
        setattr(thing, name, value)
    try:
        yield
    finally:
        for name, value in values.items():
            setattr(thing, name, type(value)())


def _line(**weather: Any) -> Fault:
    async def change(nemesis: Nemesis) -> str:
        with _set(nemesis.system.line.weather, **weather):
            await nemesis.last()
        return "every connection"

    return change


async def _silent(nemesis: Nemesis) -> str:
    """Nothing passes; afterwards all goes on, or everything that waited is lost."""
    line = nemesis.system.line
    line.weather.passable.clear()
    try:
        await asyncio.sleep(nemesis.random.uniform(2, 5))
        if nemesis.random.random() < 0.5:
            line.cut_all()
    finally:
        line.weather.passable.set()
    return "every connection"


async def _cut(nemesis: Nemesis) -> str:
    nemesis.system.line.cut_all()
    return "every connection"


def _aws(**mood: Any) -> Fault:
    async def change(nemesis: Nemesis) -> str:
        with _set(nemesis.system.aws_proxy.mood, **mood):
            await nemesis.last()
        return "SNS and SQS"

    return change


async def _hanging(nemesis: Nemesis) -> str:
    awake = nemesis.system.aws_proxy.mood.awake
    awake.clear()
    try:
        await asyncio.sleep(nemesis.random.uniform(2, 6))
    finally:
        awake.set()
    return "SNS and SQS"


async def _clock_jumps(nemesis: Nemesis) -> str:
    member = nemesis.somebody()
    by_s = nemesis.random.choice((-7200, -90, -5, 5, 90, 7200, 172_800))
    member.clock.write_text(str(by_s))
    try:
        await nemesis.last()
    finally:
        member.clock.write_text("0")
    return f"{member.name} by {by_s} s"


async def _poisoned(nemesis: Nemesis) -> str:
    queue = nemesis.random.choice(TOPOLOGY.queues)
    body = f"{POISON} {uuid4()}"
    nemesis.poison.add(body)
    await nemesis.system.aws.send(queue.name, body, {})
    return queue.name


async def _nothing(nemesis: Nemesis) -> str:
    await nemesis.last()
    return "nobody"


FAULTS: Mapping[str, Fault] = {
    "process killed": _signalled(signal.SIGKILL),
    "process told to leave": _signalled(signal.SIGTERM),
    "process stopped past its time-out": _stopped,
    "PostgreSQL restarted": _server_signalled(signal.SIGINT),
    "PostgreSQL ended at once": _server_signalled(signal.SIGQUIT),
    "PostgreSQL killed": _server_signalled(signal.SIGKILL),
    "connections terminated": _backends_terminated,
    "backend killed": _backend_killed,
    "PostgreSQL read-only": _read_only,
    "table locked": _table_locked,
    "names not found": _names_unknown,
    "commits cut before they arrive": _line(cut_before_commit=0.4),
    "commits cut before their answer": _line(cut_before_answer=0.4),
    "slow connections": _line(latency_s=0.2),
    "some connections slow": _line(lagging_s=0.8),
    "bytes one by one": _line(dribbling=True),
    "black hole": _silent,
    "connections cut": _cut,
    "AWS refuses connections": _aws(refused=0.7),
    "AWS answers 503": _aws(unavailable=0.6),
    "AWS throttles": _aws(throttled=0.6),
    "AWS hangs": _hanging,
    "AWS's answers are lost": _aws(answer_lost=0.4),
    "entries fail alone": _aws(entries_failed=0.4),
    "deliveries repeated": _aws(repeated=0.4),
    "deliveries delayed and shuffled": _aws(held_back=0.4, shuffled=True),
    "clock jumps": _clock_jumps,
    "poison": _poisoned,
}
NOTHING = "nothing"
