"""Between services and PostgreSQL: a network that is slow, silent or cut at the worst.

A commit is recognised on its way: asyncpg sends it as a query of its own, and it is
answered by a tag of its own. Cut before it arrives, nothing is committed; cut before
its answer is back, all is, and nobody knows.
"""

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Self

from sqlalchemy.engine import make_url

COMMIT = b"COMMIT;\0"
COMMITTED = b"C\0\0\0\x0bCOMMIT\0"
CHUNK = 64 * 1024
DRIBBLED = 200  # bytes of a chunk that travel one by one


@dataclass
class Weather:
    """What happens to what passes; the nemesis changes it."""

    cut_before_commit: float = 0  # shares of the commits that meet with it
    cut_before_answer: float = 0
    latency_s: float = 0
    lagging_s: float = 0  # the latency of every other connection, by chance
    dribbling: bool = False
    passable: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.passable.set()

    def delays_s(self, *, lags: bool) -> float:
        return max(self.latency_s, self.lagging_s if lags else 0)


class PostgresProxy:
    def __init__(self, upstream: int, random: Random) -> None:
        self.weather = Weather()
        self.met: Counter[str] = Counter()
        self._upstream = upstream
        self._random = random
        self._open: set[StreamWriter] = set()
        self._silent: set[StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        assert self._server
        return int(self._server.sockets[0].getsockname()[1])

    @classmethod
    @asynccontextmanager
    async def before(cls, url: str) -> AsyncIterator[tuple[Self, str]]:
        """A proxy, and the URL by which that server is reached through it."""
        server = make_url(url)
        proxy = cls(int(server.port or 5432), Random(1))
        await proxy.start()
        try:
            through = server.set(host="127.0.0.1", port=proxy.port)
            yield proxy, through.render_as_string(hide_password=False)
        finally:
            await proxy.stop()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)

    async def stop(self) -> None:
        assert self._server
        self._server.close()
        self.cut_all()

    def cut_all(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    def silence_all(self) -> None:
        """Those that are open pass nothing more; new ones do."""
        self._silent |= self._open

    async def _connected(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            there = await asyncio.open_connection("127.0.0.1", self._upstream)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, there[1]}
        self._open |= ends
        try:
            await self._both_ways(reader, writer, *there)
        finally:
            self._open -= ends
            self._silent -= ends
            for end in ends:
                end.transport.abort()

    async def _both_ways(
        self, reader: StreamReader, writer: StreamWriter, *there: object
    ) -> None:
        from_there, to_there = there
        assert isinstance(from_there, StreamReader)
        assert isinstance(to_there, StreamWriter)
        lags = self._random.random() < 0.5
        ways = [
            asyncio.create_task(self._pass(reader, to_there, COMMIT, lags=lags)),
            asyncio.create_task(self._pass(from_there, writer, COMMITTED, lags=lags)),
        ]
        try:
            # Who hangs up on one side hangs up on the other.
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pass(
        self, reader: StreamReader, writer: StreamWriter, at: bytes, *, lags: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                await self.weather.passable.wait()
                if writer in self._silent:
                    continue
                if most_s := self.weather.delays_s(lags=lags):
                    await asyncio.sleep(self._random.random() * most_s)
                if at in data and self._cuts(at):
                    return
                await self._write(writer, data)

    def _cuts(self, at: bytes) -> bool:
        share, name = (
            (self.weather.cut_before_commit, "commit cut before it arrives")
            if at is COMMIT
            else (self.weather.cut_before_answer, "commit cut before its answer")
        )
        cut = self._random.random() < share
        self.met[name] += cut
        return cut

    async def _write(self, writer: StreamWriter, data: bytes) -> None:
        if self.weather.dribbling:
            for place in range(min(DRIBBLED, len(data))):
                writer.write(data[place : place + 1])
                await asyncio.sleep(0)
            data = data[DRIBBLED:]
        writer.write(data)
        await writer.drain()
