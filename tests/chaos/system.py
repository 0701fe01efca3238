"""Orderly as it runs in production, in small: two processes of each service, and what
they need behind proxies that can have a bad day.
"""

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from types import TracebackType

import httpx
from sqlalchemy.engine import make_url
from typing_extensions import override

from chassis.database import Database
from chassis.queues import Aws
from chassis.testing import Databases, TokenIssuer
from chassis.topology import provision
from contracts.topology import TOPOLOGY
from orderly.stack import postgres, services
from orderly.stack.emulator import Emulator
from orderly.stack.folder import CLONE
from orderly.stack.keeper import keep
from orderly.stack.ports import free_port
from orderly.stack.postgres import Postgres
from orderly.stack.processes import Part, Process, answers
from orderly.tokens import SCOPES
from tests.chaos import launch
from tests.chaos.aws_proxy import AwsProxy
from tests.chaos.history import Choose, Recording
from tests.chaos.postgres_proxy import PostgresProxy
from tests.flows.shop import Shop

CLIENT = "storefront"
A_MONTH_S = (
    30 * 24 * 3600
)  # so that no token is over, nor yet to come, when clocks jump
ATTEMPT_WITHIN_S = 12.0
# Shorter than in production: who is stopped for longer is to meet who took over.
VISIBILITY_S = 6


@dataclass
class Servers:
    """A PostgreSQL that keeps what it acknowledged, and an SQS/SNS that never ends."""

    postgres: Postgres
    emulator: Emulator
    databases: Databases
    issuer: TokenIssuer
    kept: bool = False  # with what is in the databases, for who wants to understand

    @classmethod
    @asynccontextmanager
    async def started(cls) -> AsyncIterator["Servers"]:
        folder = Path(tempfile.mkdtemp(prefix="orderly-chaos-servers-"))
        server = Postgres(postgres.home_for(folder), free_port())
        server.process.leashed = True
        issuer = TokenIssuer()
        kept = False
        try:
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(issuer.server)
                stack.push_async_callback(server.stop)
                await server.start()
                emulator = await stack.enter_async_context(Emulator.throwaway())
                servers = cls(server, emulator, Databases(server.url()), issuer)
                try:
                    yield servers
                finally:
                    kept = servers.kept
        finally:
            if not kept:
                postgres.forget(folder)
                shutil.rmtree(folder)


class Member(Part):
    """One of the processes of a service."""

    def __init__(
        self, service: str, number: int, env: Mapping[str, str], folder: Path
    ) -> None:
        self.service = service
        self.port = free_port()
        self.clock = folder / f"{service}-{number}.clock"
        self.nameless = folder / f"{service}-{number}.nameless"
        own = {
            f"{service.upper()}_HOST": "127.0.0.1",
            f"{service.upper()}_PORT": str(self.port),
            launch.CLOCK: str(self.clock),
            launch.NAMELESS: str(self.nameless),
        }
        self.process = Process(
            name=f"{service}-{number}",
            argv=[services.PYTHON, "-m", "tests.chaos.launch", service],
            env={**env, **own},
            cwd=CLONE,
            log=folder / f"{service}-{number}.log",
            stop_signals=((signal.SIGCONT, 0.05), (signal.SIGTERM, 25.0)),
            leashed=True,
        )

    @override
    async def start(self) -> None:
        await self.process.start()
        await self.process.ready(
            partial(answers, self.port, "/healthz"), within_s=services.SERVES_WITHIN_S
        )


@dataclass
class System:
    """What is tried, and its proxies; one after the other may use the same servers."""

    servers: Servers
    folder: Path
    urls: dict[str, str]
    line: PostgresProxy
    aws_proxy: AwsProxy
    members: dict[str, Member]
    aws: Aws
    keepers: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    restarts: int = 0

    @classmethod
    @asynccontextmanager
    async def started(
        cls,
        servers: Servers,
        folder: Path,
        random: Random,
        *,
        processes: int = 2,
        bug: str = "",
    ) -> AsyncIterator["System"]:
        async with AsyncExitStack() as stack:
            line = PostgresProxy(servers.postgres.port, random)
            aws_proxy = AwsProxy(servers.emulator.url, random)
            for proxy in (line, aws_proxy):
                await proxy.start()
                stack.push_async_callback(proxy.stop)
            aws = await stack.enter_async_context(servers.emulator.connect())
            await _provision(aws)
            urls = {name: await servers.databases.make(name) for name in services.NAMES}
            stack.push_async_callback(_drop, servers, urls)
            env = _environment(servers, aws_proxy, bug)
            members = [
                Member(name, number, env | _database(name, urls[name], line), folder)
                for name in services.NAMES
                for number in range(1, processes + 1)
            ]
            system = cls(
                servers,
                folder,
                urls,
                line,
                aws_proxy,
                {member.name: member for member in members},
                aws,
            )
            stack.push_async_exit(system.leave)
            await asyncio.gather(*(member.start() for member in members))
            for member in members:
                system.keep(member)
            system.keep(servers.postgres)
            yield system

    async def leave(
        self,
        kind: type[BaseException] | None,
        _: BaseException | None,
        __: TracebackType | None,
    ) -> None:
        if kind:  # somebody does not want to wait
            for member in self.members.values():
                member.process.send_signal(signal.SIGKILL)
        await self.stop()

    def keep(self, part: Part) -> None:
        self.keepers[part.name] = asyncio.create_task(keep(part, part.start, self._say))

    def _say(self, name: str, what: str) -> None:
        self.restarts += what.startswith("ended")
        with (self.folder / "keeper.log").open("a") as log:
            log.write(f"{time.strftime('%H:%M:%S')} {name} {what}\n")

    async def stop(self) -> None:
        for keeper in self.keepers.values():
            keeper.cancel()
        await asyncio.gather(*self.keepers.values(), return_exceptions=True)
        for member in self.members.values():
            member.process.send_signal(signal.SIGCONT)
        await asyncio.gather(*(member.stop() for member in self.members.values()))

    def of(self, service: str) -> list[str]:
        return [m.name for m in self.members.values() if m.service == service]

    async def all_serve(self) -> bool:
        up = (answers(member.port, "/readyz") for member in self.members.values())
        return all(await asyncio.gather(*up))

    @asynccontextmanager
    async def shop(self, choose: Choose, file: Path) -> AsyncIterator[Shop]:
        """A client of all the processes, whose history is kept."""
        addresses = {name: member.port for name, member in self.members.items()}
        now = int(time.time())
        token = self.servers.issuer.token(
            *SCOPES, client_id=CLIENT, iat=now - A_MONTH_S, exp=now + A_MONTH_S
        )
        async with httpx.AsyncClient(
            transport=Recording(addresses, choose, file),
            base_url="http://orderly.test",
            headers={"Authorization": f"Bearer {token}"},
            timeout=ATTEMPT_WITHIN_S,
        ) as http:
            yield Shop(http, patience_s=float("inf"))

    @asynccontextmanager
    async def database(self, name: str) -> AsyncIterator[Database]:
        """Past the proxy: for who looks at what is there."""
        database = Database(self.urls[name], application_name="chaos", pool_size=2)
        try:
            yield database
        finally:
            await database.close()


def _environment(servers: Servers, proxy: AwsProxy, bug: str) -> dict[str, str]:
    aws = {**servers.emulator.aws_environment, "AWS_ENDPOINT_URL": _named(proxy.url)}
    issuer = servers.issuer.trusted
    return {
        **services.shared_environment(issuer.issuer, aws),
        "ORDERLY_ISSUERS": f"[{issuer.model_dump_json()}]",
        "ORDERLY_LOG_FORMAT": "json",
        "ORDERLY_LEAVES_WITHIN_S": "8",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(CLONE),))),
        **({launch.BUG: bug} if bug else {}),
    }


def _database(name: str, url: str, line: PostgresProxy) -> dict[str, str]:
    proxied = make_url(url).set(host=launch.NAME, port=line.port)
    text = proxied.render_as_string(hide_password=False)
    return {f"{name.upper()}_DATABASE_URL": text}


def _named(url: str) -> str:
    return url.replace("127.0.0.1", launch.NAME)


async def _drop(servers: Servers, urls: Mapping[str, str]) -> None:
    if not servers.kept:
        for url in urls.values():
            await servers.databases.drop(url)


async def _provision(aws: Aws) -> None:
    """Empty queues, whatever was in them."""
    await provision(aws, TOPOLOGY)
    for queue in TOPOLOGY.queues:
        for name in (queue.name, queue.dead_letters):
            await aws.sqs.purge_queue(QueueUrl=await aws.queue_url(name))
        await aws.sqs.set_queue_attributes(
            QueueUrl=await aws.queue_url(queue.name),
            Attributes={"VisibilityTimeout": str(VISIBILITY_S)},
        )
