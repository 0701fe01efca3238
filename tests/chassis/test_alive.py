import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import pytest

from chassis import alive
from orderly.stack.ports import free_port

Answer: TypeAlias = Callable[
    [asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]
]


def saying(status: str) -> Answer:
    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        assert asked.startswith(b"GET /healthz HTTP/1.1\r\n")
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n".encode())
        writer.close()

    return answer


@asynccontextmanager
async def listening(answer: Answer) -> AsyncIterator[int]:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def is_alive(port: int) -> bool:
    return await asyncio.to_thread(alive.is_alive, port)


@pytest.mark.parametrize(
    ("status", "expected"), [("200 OK", True), ("503 Service Unavailable", False)]
)
async def test_a_service_is_alive_if_it_says_so(status, expected):
    async with listening(saying(status)) as port:
        assert await is_alive(port) is expected


async def test_a_service_that_hangs_is_not_alive(monkeypatch):
    monkeypatch.setattr(alive, "ANSWERS_WITHIN_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        assert not await is_alive(hanging.getsockname()[1])


async def test_where_nobody_listens_nothing_is_alive():
    assert not await is_alive(free_port())
