"""Sends requests and takes the time: a process of its own, which no figure includes.

`python -m bench.load` reads a `Load` as JSON from its input and prints an `Outcome`.
With a rate the load is open: requests are due at random moments whatever is answered,
and who answers late, or turns away at first, is charged for all the time since. Without
one it is closed: each connection asks again as soon as it is answered, which finds the
most there is.
"""

import asyncio
import json
import random
import resource
import sys
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any

import uvloop
from typing_extensions import override

from bench.goods import Asking, asking

TICK_S = 0.001
SERVED = (200, 201, 204)
TURNED_AWAY = 503
SPILLED = 202  # by a database that was silent for long; placed when it answers again
COMES_AGAIN_S = 0.05  # who was turned away, where as many as there are keep asking
RENDERED = 1.2  # of what is due on average; more is rendered when it is
PATIENCE_S = 30.0  # for what is still unanswered at the end


@dataclass(frozen=True, kw_only=True)
class Load:
    port: int
    token: str
    what: str  # see bench.goods
    skus: int = 200
    connections: int = 64
    rate: float | None = None
    seconds: float = 5.0
    most: int = 1_000_000
    seed: str = ""
    ids: tuple[str, ...] = ()


@dataclass(kw_only=True)
class Outcome:
    seconds: float = 0
    statuses: dict[int, int] = field(default_factory=dict)
    latencies_ms: list[float] = field(default_factory=list)
    cpu_s: float = 0

    @property
    def answered(self) -> int:
        return len(self.latencies_ms)

    @property
    def per_second(self) -> float:
        return self.answered / self.seconds

    def percentile_ms(self, percent: float) -> float:
        found = sorted(self.latencies_ms)
        return found[min(len(found) - 1, int(len(found) * percent / 100))]

    def check(self, *as_well: int) -> None:
        """A figure of refusals would be a figure of something else."""
        known = (*SERVED, TURNED_AWAY, *as_well)
        refused = {s: n for s, n in self.statuses.items() if s not in known}
        if refused or not self.answered:
            raise RuntimeError(f"the load was not served: {self.statuses}")


class Connection(asyncio.Protocol):
    """One connection, kept alive, with one request on it at a time."""

    def __init__(self, answered: "Callable[[Connection, int], None]") -> None:
        self.due = 0.0
        self._answered = answered
        self._received = b""
        self._transport: Any = None

    @override
    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def send(self, request: bytes, due: float) -> None:
        self.due = due
        self._transport.write(request)

    @override
    def data_received(self, data: bytes) -> None:
        received = self._received + data
        head_end = received.find(b"\r\n\r\n")
        if head_end < 0 or len(received) < head_end + 4 + _length(received[:head_end]):
            self._received = received
            return
        self._received = b""
        self._answered(self, int(received[9:12]))

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self.due:
            self._answered(self, 0)

    def close(self) -> None:
        self._transport.close()


def _length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"content-length:")
    return int(rest.split(b"\r\n", 1)[0]) if found else 0


class Sender:
    def __init__(self, load: Load) -> None:
        self._load = load
        self._ask: Asking = asking(load)
        self._rendered: list[bytes] = []
        self._outcome = Outcome()
        self._statuses: Counter[int] = Counter()
        self._connections: list[Connection] = []
        self._free: deque[Connection] = deque()
        self._late: deque[float] = deque()  # due, and no connection was free
        self._turned_away = 0  # of an open load, who will come again
        self._sent = 0
        self._most = load.most
        self._over = asyncio.Event()
        self._quiet = asyncio.Event()

    async def run(self) -> Outcome:
        self._render()
        await self._connect()
        began, used = perf_counter(), _cpu_s()
        if self._load.rate is None:
            await self._closed()
        else:
            await self._open(self._load.rate)
        self._over.set()
        async with asyncio.timeout(PATIENCE_S):
            await self._until_answered()
        self._outcome.seconds = perf_counter() - began
        self._outcome.statuses = dict(self._statuses)
        for connection in self._connections:
            connection.close()
        self._outcome.cpu_s = _cpu_s() - used
        return self._outcome

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(self._load.connections):
            _, made = await loop.create_connection(
                lambda: Connection(self._on_answer), "127.0.0.1", self._load.port
            )
            self._connections.append(made)
        self._free.extend(self._connections)

    async def _closed(self) -> None:
        while self._free and self._sent < self._most:
            self._send(self._free.popleft(), perf_counter())
        with suppress(TimeoutError):
            async with asyncio.timeout(self._load.seconds):
                await self._over.wait()

    async def _open(self, rate: float) -> None:
        gaps = random.Random(self._load.seed)
        began = due = perf_counter()
        while due - began < self._load.seconds and self._sent < self._most:
            while due <= perf_counter():
                self._late.append(due)
                due += gaps.expovariate(rate)
            self._serve_late()
            await asyncio.sleep(TICK_S)

    def _render(self) -> None:
        """Before the load begins: or making requests slows down who answers them."""
        due = (self._load.rate or 0) * self._load.seconds * RENDERED
        self._rendered = [*map(self._ask, range(min(int(due), self._most)))]

    def _serve_late(self) -> None:
        while self._late and self._free:
            self._send(self._free.popleft(), self._late.popleft())

    async def _until_answered(self) -> None:
        everybody = len(self._connections)
        while self._late or self._turned_away or len(self._free) < everybody:
            self._quiet.clear()
            await self._quiet.wait()

    def _send(self, connection: Connection, due: float) -> None:
        ready = self._sent < len(self._rendered)
        ask = self._rendered.__getitem__ if ready else self._ask
        connection.send(ask(self._sent), due)
        self._sent += 1

    def _on_answer(self, connection: Connection, status: int) -> None:
        now = perf_counter()
        self._statuses[status] += 1
        due, connection.due = connection.due, 0
        if status != TURNED_AWAY:
            self._outcome.latencies_ms.append((now - due) * 1000)
        else:
            self._most += 1  # who comes again is not one more
            if self._load.rate is not None:
                self._have_come_again(due)
        if self._sent >= self._most:
            self._over.set()
        if self._late:
            self._send(connection, self._late.popleft())
        elif self._load.rate is None and not self._over.is_set():
            self._ask_again(connection, status)
        else:
            self._free.append(connection)
            self._quiet.set()

    def _have_come_again(self, due: float) -> None:
        """Who was turned away waits longer than anybody, and is charged for it."""
        self._turned_away += 1
        asyncio.get_running_loop().call_later(COMES_AGAIN_S, self._is_back, due)

    def _is_back(self, due: float) -> None:
        self._turned_away -= 1
        self._late.append(due)
        self._serve_late()

    def _ask_again(self, connection: Connection, status: int) -> None:
        if status == TURNED_AWAY:
            loop = asyncio.get_running_loop()
            loop.call_later(COMES_AGAIN_S, self._come_again, connection)
        else:
            self._send(connection, perf_counter())

    def _come_again(self, connection: Connection) -> None:
        if self._over.is_set():
            self._free.append(connection)
            self._quiet.set()
        else:
            self._send(connection, perf_counter())


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def apply(load: Load) -> Outcome:
    """Have a process of its own do it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.load"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate(json.dumps(asdict(load)).encode())
    if process.returncode:
        raise RuntimeError("the load generator failed")
    told = json.loads(printed)
    statuses = {int(status): n for status, n in told["statuses"].items()}
    return Outcome(**told | {"statuses": statuses})


def main() -> None:
    given = json.load(sys.stdin)
    load = Load(**given | {"ids": tuple(given["ids"])})
    json.dump(asdict(uvloop.run(Sender(load).run())), sys.stdout)


if __name__ == "__main__":
    main()
