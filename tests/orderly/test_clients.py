import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from orderly import clients
from orderly.clients import Client
from orderly.errors import StackError


@asynccontextmanager
async def issuer(status: int, document: object) -> AsyncIterator[tuple[str, list[str]]]:
    """Answers each request so; what it was asked is in the list."""
    asked: list[str] = []

    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        asked.append((await reader.read(65536)).decode())
        body = json.dumps(document)
        head = f"HTTP/1.1 {status} .\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n{body}".encode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield f"http://127.0.0.1:{port}/oauth2/token", asked


async def test_a_client_gets_its_token_by_its_secret():
    async with issuer(200, {"access_token": "abc"}) as (url, asked):
        token = await Client(url, "audit", "hush").token()

    basic = b64encode(b"audit:hush").decode()
    assert token == "abc"  # noqa: S105
    assert f"Basic {basic}" in asked[0]


async def test_a_client_that_is_refused_says_so_without_its_secret():
    async with issuer(400, {"error": "invalid_client"}) as (url, _):
        with pytest.raises(StackError, match="answered 400") as refused:
            await Client(url, "audit", "hush").token()

    assert "hush" not in str(refused.value)


async def test_a_client_says_when_nobody_gives_tokens():
    with pytest.raises(StackError, match="does not answer"):
        await Client("http://127.0.0.1:9/token", "audit", "hush").token()


def test_what_is_missing_of_a_client_is_named(monkeypatch):
    monkeypatch.setenv("ORDERLY_TOKEN_URL", "http://127.0.0.1:9/token")
    monkeypatch.setenv("ORDERLY_CLIENT_ID", "audit")

    with pytest.raises(StackError, match="ORDERLY_CLIENT_SECRET is not set"):
        clients.from_environment()


def test_without_a_token_url_there_is_no_client(monkeypatch):
    monkeypatch.delenv("ORDERLY_TOKEN_URL", raising=False)

    assert clients.from_environment() is None
