"""What Orders does when more is asked of it than it can do: `python -m bench.overload`.

Measures what it takes in at most, then asks for 3 and 10 times that, open loop: orders
arrive when they arrive, whether or not others were answered. Once with clients that
take no for an answer, once with clients that come again. Then, how soon all is well.

The load comes from this machine too: Orders gets a core for itself, and all the rest,
this program with it, shares the others. Inventory and Accounting are stopped meanwhile,
for they have machines of their own.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import count
from typing import cast
from uuid import uuid4

import psutil
from tests.flows.shop import an_order
from typing_extensions import override

from orderly.stack.stack import Stack

CONNECTIONS = 1000  # at most; who finds none free is not heard, and counted
AT_CAPACITY = 32  # requests at once that find out how much it takes
TICK_S = 0.005
HEALTH_EVERY_S = 0.1
COMES_AGAIN_S = (1.0, 2.0)  # as Retry-After says, or a little later
TRIES = 4
RUSH_S = 4.0  # longer than Orders takes for what may pass
WELL_WITHIN_S = 0.25  # for nine in ten of the orders: all is well


@dataclass
class Tally:
    """What became of the requests of one phase."""

    took_s: float = 0.0
    asked: int = 0
    unheard: int = 0  # for want of a connection
    statuses: Counter[int] = field(default_factory=Counter)
    accepted_s: list[float] = field(default_factory=list)
    refused_s: list[float] = field(default_factory=list)
    healthy_s: list[float] = field(default_factory=list)
    without_retry_after: int = 0

    @property
    def goodput(self) -> float:
        return len(self.accepted_s) / self.took_s


def share(latencies: Sequence[float], part: float) -> float:
    """Of the latencies, in milliseconds: so many of them are below."""
    if not latencies:
        return 0.0
    ordered = sorted(latencies)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] * 1000


class Client(asyncio.Protocol):
    """One connection with at most one request on it; reads as little as it can."""

    transport: asyncio.Transport

    def __init__(self, load: "Load") -> None:
        self.load = load
        self.began = 0.0
        self.tries = 0
        self._buffer = b""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def ask(self, request: bytes, tries: int) -> None:
        self.began, self.tries = time.perf_counter(), tries
        self.transport.write(request)

    @override
    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        lowered = head.lower()
        at = lowered.find(b"content-length: ")
        length = int(lowered[at + 16 :].split(b"\r", 1)[0]) if at >= 0 else 0
        if len(body) < length:
            return
        self._buffer = b""
        self.load.answered(self, int(head[9:12]), told_when=b"retry-after" in lowered)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.load.lost(self)


class Load:
    """Clients of one service, and what it tells them."""

    def __init__(self, port: int, token: str, sku: str) -> None:
        self._port = port
        self._token = token
        self._sku = sku
        self._idle: deque[Client] = deque()
        self._all: set[Client] = set()
        self._again: list[tuple[float, int]] = []
        self._closed_loop = False
        self._retrying = False
        self.tally = Tally()
        order = str(an_order((sku, 1))).replace("'", '"').replace("None", "null")
        self._order = order
        self._requests = self._placing()

    def _placing(self) -> Iterator[bytes]:
        reference = self._order.split('"reference": "')
        before, after = self._order.rsplit(reference[-1][:32], 1)
        for number in count():
            unique = f"{os.getpid()}-{id(self)}-{number}".ljust(32, "x")[:32]
            body = f"{before}{unique}{after}".encode()
            head = (
                "POST /v1/orders HTTP/1.1\r\nHost: orders\r\n"
                f"Authorization: Bearer {self._token}\r\n"
                f"Idempotency-Key: {unique}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            yield head.encode() + body

    async def connect(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        while len(self._all) < number:
            _, client = await loop.create_connection(
                lambda: Client(self), "127.0.0.1", self._port
            )
            self._all.add(client)
            self._idle.append(client)

    async def reconnect(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            try:
                await self.connect(CONNECTIONS)
            except OSError:
                await asyncio.sleep(TICK_S)

    def answered(self, client: Client, status: int, *, told_when: bool) -> None:
        took_s = time.perf_counter() - client.began
        client.began = 0.0
        self.tally.statuses[status] += 1
        if status < HTTPStatus.MULTIPLE_CHOICES:
            self.tally.accepted_s.append(took_s)
        else:
            self.tally.refused_s.append(took_s)
            self.tally.without_retry_after += not told_when
            if self._retrying and client.tries < TRIES:
                at = time.perf_counter() + random.uniform(*COMES_AGAIN_S)
                self._again.append((at, client.tries + 1))
        if self._closed_loop:
            client.ask(next(self._requests), 1)
        else:
            self._idle.append(client)

    def lost(self, client: Client) -> None:
        self._all.discard(client)
        if client.began:
            self.tally.statuses[0] += 1
        if client in self._idle:
            self._idle.remove(client)

    async def at_capacity(self, seconds: float) -> Tally:
        """Everybody asks again as soon as they are answered."""
        self._closed_loop = True
        for _ in range(AT_CAPACITY):
            self._idle.pop().ask(next(self._requests), 1)
        await asyncio.sleep(2)  # until it is warm
        tally = await self._watch(seconds)
        self._closed_loop = False
        await asyncio.sleep(1)
        return tally

    async def at_rate(
        self, rate: float, seconds: float, *, retrying: bool = False
    ) -> tuple[Tally, Tally]:
        """What became of those that came in the first rush, and of all others."""
        self._retrying = retrying
        arriving = asyncio.create_task(self._arrive(rate))
        tallies = await self._watch(RUSH_S), await self._watch(seconds)
        arriving.cancel()
        return tallies

    async def at_ease(self, rate: float) -> Tally:
        self._retrying = False
        arriving = asyncio.create_task(self._arrive(rate))
        tally = await self._watch(1)
        arriving.cancel()
        return tally

    async def _watch(self, seconds: float) -> Tally:
        self.tally = tally = Tally()
        began = time.perf_counter()
        while time.perf_counter() < began + seconds:
            await asyncio.sleep(HEALTH_EVERY_S)
            tally.healthy_s.append(await self._health_s())
        tally.took_s = time.perf_counter() - began
        self.tally = Tally()
        return tally

    async def _arrive(self, rate: float) -> None:
        began = time.perf_counter()
        arrived = 0
        while True:
            await asyncio.sleep(TICK_S)
            now = time.perf_counter()
            due = int((now - began) * rate)
            for _ in range(due - arrived):
                self._ask(1)
            arrived = due
            again = [tries for at, tries in self._again if at <= now]
            self._again = [later for later in self._again if later[0] > now]
            for tries in again:
                self._ask(tries)

    def _ask(self, tries: int) -> None:
        self.tally.asked += 1
        if self._idle:
            self._idle.popleft().ask(next(self._requests), tries)
        else:
            self.tally.unheard += 1

    async def _health_s(self) -> float:
        """By a connection of its own, as a balancer's."""
        began = time.perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: orders\r\n\r\n")
        answer = await reader.readline()
        writer.close()
        if b" 200 " not in answer:
            sys.exit(f"It is not healthy: {answer.decode()}")
        return time.perf_counter() - began


def say(what: str, tally: Tally, peak: float) -> None:
    refused = len(tally.refused_s)
    cells = (
        f"{tally.asked / tally.took_s:.0f}",
        f"{tally.goodput:.0f}",
        f"{tally.goodput / peak:.0%}",
        f"{share(tally.accepted_s, 0.5):.0f} / {share(tally.accepted_s, 0.99):.0f}",
        f"{refused / tally.took_s:.0f}",
        f"{share(tally.refused_s, 0.5):.0f} / {share(tally.refused_s, 0.99):.0f}",
        f"{share(tally.healthy_s, 1):.0f}",
        f"{tally.unheard}",
        f"{tally.without_retry_after}",
    )
    sys.stdout.write(f"{what:30}" + "".join(f"{cell:>13}" for cell in cells) + "\n")
    strange = {s: n for s, n in tally.statuses.items() if s not in {201, 503}}
    if strange:
        sys.stdout.write(f"{'':30}other answers: {strange}\n")
    sys.stdout.flush()


def pin(stack: Stack) -> None:
    """Orders has the first core, whoever else there is the others."""
    first, *others = sorted(os.sched_getaffinity(0))
    if not others:
        sys.exit("It takes two cores: one for Orders, one for who asks it.")
    for name, part in stack.parts.items():
        mine = {first} if name == "orders" else set(others)
        process = psutil.Process(part.process.pid)
        for each in (process, *process.children(recursive=True)):
            for thread in each.threads():
                os.sched_setaffinity(thread.id, mine)
            os.sched_setaffinity(each.pid, mine)
    os.sched_setaffinity(0, set(others))


async def recover(load: Load, rate: float) -> float:
    """Seconds until orders at half the capacity are answered as ever."""
    began = time.perf_counter()
    while True:
        tally = await load.at_ease(rate)
        if not tally.refused_s and share(tally.accepted_s, 0.9) < WELL_WITHIN_S * 1000:
            return time.perf_counter() - began - 1


async def main(seconds: float) -> None:
    async with Stack.throwaway() as stack:
        for name in ("inventory", "accounting"):
            stack.services[name].process.send_signal(signal.SIGSTOP)
        pin(stack)
        load = Load(
            stack.services["orders"].port,
            stack.signer.token(["orders.write", "channel.web"]),
            f"SKU-{uuid4().hex[:8]}",
        )
        await load.connect(CONNECTIONS)
        connecting = asyncio.create_task(load.reconnect())
        heads = (
            *("asked /s", "good /s", "of peak", "good ms", "refused /s"),
            *("refused ms", "health ms", "unheard", "no Retry"),
        )
        sys.stdout.write(f"{'':30}" + "".join(f"{head:>13}" for head in heads) + "\n")
        at_peak = await load.at_capacity(seconds)
        peak = at_peak.goodput
        say("as much as it takes", at_peak, peak)
        for times, retrying in ((3, False), (10, False), (3, True), (10, True)):
            rush, then = await load.at_rate(times * peak, seconds, retrying=retrying)
            what = f"{times} times{', who come again' if retrying else ''}"
            say(f"{what}, rush", rush, peak)
            say(what, then, peak)
        sys.stdout.write(f"all is well after {await recover(load, peak / 2):.1f} s\n")
        connecting.cancel()
        for name in ("inventory", "accounting"):
            stack.services[name].process.send_signal(signal.SIGCONT)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8, help="of each phase")
    asyncio.run(main(parser.parse_args().seconds))
