"""A service's app on a socket, for clients that are no Python of ours."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from chassis.connections import Connection
from chassis.database import Database
from chassis.lifecycle import Parts, Runtime, Service
from chassis.queues import Aws
from chassis.settings import Issuer
from chassis.testing import eventually


@dataclass(frozen=True)
class Served:
    url: str
    parts: Parts


@asynccontextmanager
async def served(
    service: Service[Any], database: Database, aws: Aws, issuers: Sequence[Issuer]
) -> AsyncIterator[Served]:
    settings = service.settings(
        database_url="postgresql://not-used", issuers=tuple(issuers)
    )
    parts = service.assemble(Runtime(settings=settings, database=database, aws=aws))
    server = uvicorn.Server(
        uvicorn.Config(
            parts.app,
            port=0,
            http=Connection,
            ws="none",
            log_config=None,
            lifespan="off",
        )
    )
    running = [
        asyncio.create_task(server.serve()),
        *(asyncio.create_task(part.run()) for part in parts.group_commits),
    ]

    async def has_started() -> bool:
        return server.started

    await eventually(has_started)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Served(f"http://127.0.0.1:{port}", parts)
    finally:
        for part in (*parts.waiters, *parts.group_commits):
            part.close()
        server.should_exit = True
        await asyncio.gather(*running)
