"""A service's process: what it is made of, how it starts, and how it leaves.

SIGTERM: unready, finish what was begun, hand back the rest, and leave within 20 s.
"""

import asyncio
import contextlib
import gc
import json
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from socket import socket
from typing import Any, Generic, Protocol, TypeVar

import structlog
import uvicorn
import uvloop
from fastapi import FastAPI
from pydantic import SecretStr
from typing_extensions import override

from chassis import (
    failpoints,
    gauges,
    idempotency,
    logs,
    migrations,
    partitions,
    queues,
    telemetry,
)
from chassis.aside import Tell, tell_nobody
from chassis.auth import Authenticator
from chassis.batching import GroupCommit
from chassis.connections import Connection
from chassis.consumer import Consumer
from chassis.database import Database
from chassis.digest import Digest
from chassis.events import Router
from chassis.health import Health
from chassis.ops import Desk, routes
from chassis.queues import Aws
from chassis.relay import Relay
from chassis.replays import Replayer
from chassis.settings import ServiceSettings
from chassis.timers import Timer
from chassis.topology import Queue, Topic

log = structlog.get_logger(__name__)

FLUSHES_WITHIN_S = 4
CLOSES_WITHIN_S = 1
SWEEP_S = 15
UPKEEP_S = 24 * 3600
LETS_GO_AFTER_S = 120
BACKLOG = 2048
# Requests and events leave hardly any cycles: to look after each few hundred objects
# would cost a fourteenth of placing an order, and find nothing.
GARBAGE = (50_000, 20, 20)
FILES = 6500  # for connections, and for what the process itself has open

S = TypeVar("S", bound=ServiceSettings)


@dataclass(frozen=True, kw_only=True)
class Runtime(Generic[S]):
    """What the outside gives a service: its settings, its database, the queues."""

    settings: S
    database: Database
    aws: Aws
    replica: Database | None = None

    @property
    def reader(self) -> Database:
        """For what may be read a moment late: a replica's, where there is one."""
        return self.replica or self.database


class Closes(Protocol):
    """What holds answers back, and lets everybody go when the process leaves."""

    def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a service is made of; the process runs them."""

    app: FastAPI
    group_commits: Sequence[GroupCommit[Any, Any]] = ()
    waiters: Sequence[Closes] = ()
    timers: Sequence[Timer] = ()
    # Instead of the service's own, where events are handled by what settings say.
    hears: Mapping[Queue, Router] = field(default_factory=dict)
    digest: Digest = field(default_factory=Digest)


@dataclass(frozen=True, kw_only=True)
class Service(Generic[S]):
    """One of the services: `python -m <name>` serves it.

    `… migrate` makes its schema, `… openapi` writes down what its API is.
    """

    name: str
    settings: type[S]
    announces: Topic
    hears: Mapping[Queue, Router]
    build: Callable[[Runtime[S]], Parts]
    tell: Tell = tell_nobody  # of what is put aside

    @property
    def source(self) -> str:
        """What its events say they come from."""
        return f"orderly/{self.name}"

    def main(self) -> None:
        # What was imported until here is never garbage, and never looked through.
        gc.freeze()
        gc.set_threshold(*GARBAGE)
        gc.enable()
        match sys.argv[1:]:
            case []:
                settings = self._set_up(telemetry.setup)
                with _death_logged():
                    uvloop.run(_serve(self, settings))
                telemetry.finish(settings)
            case ["migrate"]:
                settings = self._set_up(logs.setup)
                migrations.upgrade(
                    self.name,
                    settings.database_url.get_secret_value(),
                    login=settings.login,
                    admin=settings.database_admin,
                )
                log.info("Schema is up to date", revision=migrations.newest(self.name))
            case ["openapi"]:
                print(json.dumps(self.unserved().openapi(), indent=2))  # noqa: T201
            case _:
                sys.exit(f"usage: python -m {self.name} [migrate|openapi]")

    def _set_up(self, tell: Callable[[str, S], None]) -> S:
        settings = self.settings()
        tell(self.name, settings)
        failpoints.arm()
        return settings

    def unserved(self) -> FastAPI:
        """The app with nothing behind it: to be looked at."""
        nowhere = "postgresql://nobody@localhost/nothing"
        settings = self.settings(database_url=SecretStr(nowhere))
        runtime = Runtime(
            settings=settings,
            database=_database(self, settings, settings.database_url),
            aws=Aws(None, None, region="nowhere", account_id=settings.aws_account_id),
        )
        return self.assemble(runtime).app

    def assemble(self, runtime: Runtime[S]) -> Parts:
        """The parts, with what every app of ours finds in its state."""
        parts = self.build(runtime)
        parts.app.state.database = runtime.database
        parts.app.state.reader = runtime.reader
        parts.app.state.access_log = runtime.settings.access_log
        parts.app.state.authenticator = Authenticator(runtime.settings.issuers)
        desk = Desk(aws=runtime.aws, queues=tuple(self.hears), digest=parts.digest)
        routes.add_to(parts.app, self.name, desk)
        replayer = Replayer(
            runtime.database,
            runtime.aws,
            topic=self.announces.name,
            source=self.source,
            tell=self.tell,
        )
        timers = [*parts.timers, replayer.timer]
        if runtime.settings.measures:
            timers.append(gauges.timer(runtime.database, runtime.aws, self.hears))
        return replace(parts, timers=timers, hears={**self.hears, **parts.hears})


@contextlib.contextmanager
def _death_logged() -> Iterator[None]:
    """Leave the reason where all the other lines are."""
    try:
        yield
    except Exception:
        log.exception("Died")
        sys.exit(1)


async def _serve(service: Service[S], settings: S) -> None:
    database = _database(service, settings, settings.database_url)
    replica = (
        _database(service, settings, settings.database_reader_url)
        if settings.database_reader_url
        else None
    )
    async with queues.connect(
        region=settings.aws_region, account_id=settings.aws_account_id
    ) as aws:
        runtime = Runtime(
            settings=settings, database=database, aws=aws, replica=replica
        )
        await _Process(service, runtime).run()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CLOSES_WITHIN_S):
            await database.close()
            if replica:
                await replica.close()
    log.info("Left")


def _database(service: Service[S], settings: S, url: SecretStr) -> Database:
    return Database(
        url.get_secret_value(),
        application_name=service.name,
        login=settings.login,
        pool_size=settings.database_pool_size,
        connect_timeout_s=settings.database_connect_timeout_s,
    )


def _share_of_files() -> float:
    """Have as many as connections need: who runs out of them can accept nobody."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < FILES:
        log.warning("There are few files to be opened", most=most, wanted=FILES)
    return most / FILES


class _Server(uvicorn.Server):
    """Uvicorn without its signals: the process leaves in an order of its own."""

    @override
    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        log.info("Serving", host=self.config.host, port=self.config.port)

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass
class _Process(Generic[S]):
    service: Service[S]
    runtime: Runtime[S]
    _leave: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._leave.set)
        service, runtime = self.service, self.runtime
        self.relay = Relay(
            runtime.database,
            runtime.aws,
            topic=service.announces.name,
            source=service.source,
            tell=service.tell,
        )
        self.parts = service.assemble(runtime)
        self.consumers = self._consumers()
        self.health = Health(self._checks())
        self.parts.app.include_router(self.health.router)
        self.server = _Server(self._http())
        await self._until_told()

    async def _until_told(self) -> None:
        # A part that dies takes the process with it: whoever started it starts it anew.
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(self.server.serve())
            consuming = [
                tasks.create_task(consumer.run()) for consumer in self.consumers
            ]
            writing = [
                tasks.create_task(part.run()) for part in self.parts.group_commits
            ]
            background = [tasks.create_task(self.relay.run())]
            background += [
                tasks.create_task(timer.run(self.runtime.database))
                for timer in self._timers()
            ]
            await self._leave.wait()
            log.info("Leaving")
            self.health.leaving = True
            try:
                async with asyncio.timeout(self.runtime.settings.leaves_within_s):
                    await self._finish(serving, consuming, writing)
            except TimeoutError:
                log.warning("Left before everything was finished; it is taken up again")
            for task in (serving, *consuming, *writing, *background):
                task.cancel()

    async def _finish(
        self,
        serving: asyncio.Task[None],
        consuming: Sequence[asyncio.Task[None]],
        writing: Sequence[asyncio.Task[None]],
    ) -> None:
        for consumer in self.consumers:
            consumer.stop()
        await asyncio.sleep(self.runtime.settings.drain_s)
        for waiters in self.parts.waiters:
            waiters.close()
        self.server.should_exit = True
        await asyncio.wait([serving, *consuming])
        for part in self.parts.group_commits:
            part.close()
        if writing:
            await asyncio.wait(writing)
        # What stays in the log is published by the next process; this is only prompt.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSHES_WITHIN_S):
                await self.relay.flush()

    @property
    def _roles(self) -> str:
        return self.runtime.settings.roles

    def _consumers(self) -> list[Consumer]:
        if self._roles == "api":
            return []
        return [
            Consumer(
                self.runtime.database,
                self.runtime.aws,
                queue,
                router,
                tell=self.service.tell,
            )
            for queue, router in self.parts.hears.items()
        ]

    def _timers(self) -> list[Timer]:
        database = self.runtime.database
        return [
            Timer(name="sweep", every_s=SWEEP_S, work=self._sweep),
            Timer(name="upkeep", every_s=UPKEEP_S, work=self._keep_up),
            Timer(name="let go", every_s=LETS_GO_AFTER_S, work=self._let_go(database)),
            *(t for t in self.parts.timers if t.in_every_role or self._roles != "api"),
        ]

    async def _sweep(self) -> bool:
        """Find what a crash left in the outbox."""
        self.relay.wake()
        return False

    async def _keep_up(self) -> bool:
        """Due every day, also when idle: without partitions nothing can be written."""
        database = self.runtime.database
        await database.transact(migrations.make_partitions)
        for partitioned in migrations.PARTITIONED:
            await database.transact(partitions.drop_old, partitioned)
        await database.transact(idempotency.forget_old)
        return True

    @staticmethod
    def _let_go(database: Database) -> Callable[[], Any]:
        async def let_go() -> bool:
            if database.idle_s() > LETS_GO_AFTER_S:
                await database.let_go()
            return True

        return let_go

    def _checks(self) -> Mapping[str, Callable[[], Any]]:
        async def database() -> None:
            await migrations.check(self.runtime.database, self.service.name)

        async def queue() -> None:
            for heard in self.service.hears:
                await self.runtime.aws.queue_url(heard.name)

        return {"database": database, "queues": queue}

    def _http(self) -> uvicorn.Config:
        settings = self.runtime.settings
        return uvicorn.Config(
            self.parts.app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,  # ours knows the trace, and how long it took
            lifespan="off",
            http=Connection.of(settings.cors_origins, _share_of_files()),
            ws="none",
            server_header=False,
            proxy_headers=False,  # nobody here asks who the balancer spoke for
            backlog=BACKLOG,
            timeout_keep_alive=75,  # longer than the balancer's: it never loses a race
            timeout_graceful_shutdown=10,
        )
