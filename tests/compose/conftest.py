"""The stack that `docker compose up` starts, under a name and on a port of its own."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from orderly.stack.ports import free_port
from tests.flows.shop import Shop

CLONE = Path(__file__).parents[2]
UP_WITHIN_S = 600


class Failed(Exception):
    """What a command printed that should not have failed."""


@dataclass(frozen=True)
class Compose:
    port: int
    project: str = field(default_factory=lambda: f"orderly-test-{uuid4().hex[:8]}")

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    async def __call__(self, *arguments: str) -> str:
        return await self._run("compose", "--progress=quiet", *arguments)

    async def up(self, *options: str) -> None:
        async with asyncio.timeout(UP_WITHIN_S):
            await self("up", "--detach", "--wait", *options)

    async def down(self) -> None:
        await self("--profile=*", "down", "--volumes")

    async def containers(self, service: str) -> list[str]:
        return (await self("ps", "--quiet", service)).split()

    async def inspect(self, container: str) -> dict[str, Any]:
        (found,) = json.loads(await self._run("inspect", container))
        return dict(found)

    async def docker(self, *arguments: str) -> str:
        return await self._run(*arguments)

    async def left(self, kind: str) -> list[str]:
        """Which containers, volumes or networks are there of it."""
        label = f"label=com.docker.compose.project={self.project}"
        everything = ["--all"] if kind == "container" else []
        return (
            await self._run(kind, "ls", "--quiet", "--filter", label, *everything)
        ).split()

    async def _run(self, *arguments: str) -> str:
        """What it prints; who waits for it sees what it is."""
        sys.stderr.write(f"\n  docker {' '.join(arguments)}")
        process = await asyncio.create_subprocess_exec(
            "docker",
            *arguments,
            env={**os.environ, **self._environment},
            cwd=CLONE,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await process.communicate()
        if process.returncode:
            raise Failed(f"docker {' '.join(arguments)}: {printed.decode()}")
        return printed.decode()

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "COMPOSE_PROJECT_NAME": self.project,
            "ORDERLY_PORT": str(self.port),
            "ORDERLY_VERSION": "test",
        }


@pytest.fixture(scope="session", autouse=True)
def trusted() -> None:
    """Whom the machine trusts: images come from the outside."""


@pytest.fixture(scope="session")
async def images() -> Compose:
    """What is built, and nothing of it runs."""
    built = Compose(free_port())
    await built("build", "--quiet")
    return built


@pytest.fixture(scope="session")
async def compose(images: Compose) -> AsyncIterator[Compose]:
    try:
        await images.up()
        yield images
    except Failed:
        sys.stderr.write(await images("logs", "--tail=50"))
        raise
    finally:
        await images.down()


@pytest.fixture
async def token(compose: Compose) -> str:
    return (await compose("run", "--rm", "token")).strip()


@pytest.fixture
async def shop(compose: Compose, token: str) -> AsyncIterator[Shop]:
    async with httpx.AsyncClient(
        base_url=compose.url,
        headers={"Authorization": f"Bearer {token}"},
        limits=httpx.Limits(max_connections=32),
        timeout=30,
        trust_env=False,
    ) as http:
        yield Shop(http)
