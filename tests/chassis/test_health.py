import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI

from chassis import health
from chassis.health import Check, Health


async def works() -> None:
    """Stand in for a check that succeeds."""


async def fails() -> None:
    raise ConnectionRefusedError("postgresql://user:secret@host")


async def hangs() -> None:
    await asyncio.Future()


@asynccontextmanager
async def asking(reporter: Health) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(reporter.router)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def ready(**checks: Check) -> tuple[int, dict[str, str]]:
    async with asking(Health(checks)) as client:
        answer = await client.get("/readyz")
    return answer.status_code, answer.json()["checks"]


async def test_alive_asks_nobody():
    async with asking(Health({"database": hangs})) as client:
        assert (await client.get("/healthz")).json() == {"status": "alive"}


async def test_ready_when_everything_works():
    assert await ready(database=works, queues=works) == (
        200,
        {"database": "ok", "queues": "ok"},
    )


async def test_not_ready_says_what_fails_and_no_secrets():
    assert await ready(database=fails, queues=works) == (
        503,
        {"database": "ConnectionRefusedError", "queues": "ok"},
    )


async def test_what_hangs_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 0.05)

    assert await ready(database=hangs) == (503, {"database": "TimeoutError"})


async def test_who_leaves_is_alive_and_not_ready():
    reporter = Health({"database": works})
    reporter.leaving = True

    async with asking(reporter) as client:
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).status_code == 503
