"""The whole of it: every part in its order, kept alive, and ended in its order."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Coroutine
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Self

from chassis import migrations
from chassis.topology import provision
from contracts.topology import TOPOLOGY
from orderly import demo
from orderly.errors import StackError
from orderly.republish import republish
from orderly.stack import intake, postgres, services
from orderly.stack.emulator import Emulator
from orderly.stack.folder import Folder, State
from orderly.stack.gateway import Gateway
from orderly.stack.keeper import Say, keep
from orderly.stack.leftovers import ORDER_OF_LEAVING, stop_leftovers
from orderly.stack.ports import Ports
from orderly.stack.postgres import Postgres
from orderly.stack.processes import Part
from orderly.stack.services import Service
from orderly.tokens import Signer, load_key
from orderly.words import some

READY_WITHIN_S = 60.0


class Stack:
    """All of Orderly in one folder, on ports of its own.

    Tests get one of their own by `async with Stack.throwaway() as stack:`.
    """

    def __init__(
        self,
        folder: Folder,
        ports: Ports,
        *,
        say: Say = lambda _, __: None,
        fresh: bool = False,
        throwaway: bool = False,
    ) -> None:
        self.folder = folder
        self.ports = ports
        self.services: dict[str, Service] = {}
        self._say = say
        self._fresh = fresh
        self._throwaway = throwaway
        self._hurried = False
        self._held = ExitStack()
        self._database_urls: dict[str, str] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}

    @classmethod
    @asynccontextmanager
    async def throwaway(cls) -> AsyncIterator[Self]:
        folder = Folder(Path(tempfile.mkdtemp(prefix="orderly-stack-")))
        try:
            async with cls(folder, Ports.free(), throwaway=True) as stack:
                yield stack
        finally:
            postgres.forget(folder.path)
            shutil.rmtree(folder.path)

    async def __aenter__(self) -> Self:
        self.folder.open()
        self._held.enter_context(self.folder.held())
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        return self.ports.url

    @property
    def parts(self) -> dict[str, Part]:
        return {
            part.name: part
            for part in (
                self.postgres,
                self.emulator,
                *self.services.values(),
                self.gateway,
            )
        }

    @asynccontextmanager
    async def without(self, name: str) -> AsyncIterator[None]:
        """Have a part stopped for a while, and started again afterwards."""
        part = self.parts[name]
        self._keepers.pop(name).cancel()
        await self._stop(part)
        yield
        await self._start_again(part)
        self._keep(part)

    async def stop(self) -> None:
        """End everything; nothing of it runs when this returns."""
        self._note(ready=False)
        if self._keepers:
            await self._stop_taking_orders()
        for keeper in self._keepers.values():
            keeper.cancel()
        self._keepers = {}
        await asyncio.gather(*map(self._stop, self.services.values()))
        for part in self._others_to_stop():
            await self._stop(part)
        self._held.close()

    def hurry(self) -> None:
        """Stop waiting for services that are leaving."""
        self._hurried = True
        for service in self.services.values():
            service.process.send_signal(signal.SIGKILL)

    async def _start(self) -> None:
        self._note(ready=False)
        await stop_leftovers(self.folder, self._say)
        if self._fresh:
            self._forget()
        self.ports.check()
        self._build()
        await together(self._start_postgres(), self._start_emulator())
        for name, url in self._database_urls.items():
            await self._migrate(name, url)
        await self._publish_again()
        await together(*map(self._start_service, self.services.values()))
        await self._start_part(self.gateway)
        await self._stock_up()
        for part in self.parts.values():
            self._keep(part)
        self._note(ready=True)

    def _keep(self, part: Part) -> None:
        start = partial(self._start_again, part)
        self._keepers[part.name] = asyncio.create_task(keep(part, start, self._say))

    def _note(self, *, ready: bool) -> None:
        self.folder.write_state(State(os.getpid(), self.ports, ready=ready))

    def _forget(self) -> None:
        postgres.forget(self.folder.path)
        self.folder.demo_done.unlink(missing_ok=True)
        self._say("stack", "forgot everything: starting anew")

    def _build(self) -> None:
        folder, ports = self.folder, self.ports
        self.gateway = Gateway(folder, ports)
        self.gateway.process.leashed = self._throwaway
        self.signer = Signer(load_key(folder.key), ports.url)
        folder.publish("jwks.json", self.signer.key_set())
        self.postgres = Postgres(
            postgres.home_for(folder.path),
            ports.postgres,
            log=folder.log("postgres"),
            run_file=folder.run_file("postgres"),
            throwaway=self._throwaway,
        )
        self.emulator = Emulator(
            folder.path / "emulator",
            ports.emulator,
            log=folder.log("emulator"),
            run_file=folder.run_file("emulator"),
            throwaway=self._throwaway,
        )

    async def _start_postgres(self) -> None:
        await self._start_part(self.postgres)
        if not self.postgres.home.is_relative_to(self.folder.path):
            self._say("postgres", f"keeps its data in {self.postgres.home}")
        shared = services.shared_environment(self.url, self.emulator.aws_environment)
        for name in services.NAMES:
            port = self.ports.of(name)
            url = await self.postgres.give_database(name)
            own = services.own_environment(name, port=port, database_url=url)
            self._database_urls[name] = url
            service = Service(name, port, self.folder, {**shared, **own})
            service.process.leashed = self._throwaway
            self.services[name] = service

    async def _start_emulator(self) -> None:
        await self._start_part(self.emulator)
        async with self.emulator.connect() as aws:
            await provision(aws, TOPOLOGY)

    async def _migrate(self, name: str, url: str) -> None:
        """Bring a service's schema up to date; here, as a process is slow to start."""
        try:
            await asyncio.to_thread(migrations.upgrade, name, url)
        except Exception as error:
            raise StackError(
                f"The schema of {name} could not be brought up to date: {error}"
            ) from error

    async def _publish_again(self) -> None:
        async with self.emulator.connect() as aws:
            published = await republish(aws, self._database_urls, self._say)
        if published:
            self._say(
                "emulator",
                f"got {some(published, 'event')} again that had been under way",
            )

    async def _start_service(self, service: Service) -> None:
        await self._start_part(service)
        deadline = monotonic() + READY_WITHIN_S
        while not await service.is_ready():
            if monotonic() > deadline:
                raise StackError(
                    f"{service.name} serves but is not ready: see"
                    f" http://127.0.0.1:{service.port}/readyz and {service.process.log}"
                )
            await asyncio.sleep(0.1)

    async def _start_part(self, part: Part) -> None:
        began = monotonic()
        await part.start()
        self._say(
            part.name,
            f"listens on 127.0.0.1:{self.ports.of(part.name)}"
            f" after {monotonic() - began:.1f} s",
        )

    async def _stock_up(self) -> None:
        if self.folder.demo_done.exists():
            return
        await demo.stock_up(self.url, self.signer.token(["inventory.write"]))
        self.folder.demo_done.touch()
        self._say("inventory", "has demo products and stock")

    async def _start_again(self, part: Part) -> None:
        if part is self.emulator:
            await self._start_emulator()
            await self._publish_again()
        else:
            await self._start_part(part)

    async def _stop_taking_orders(self) -> None:
        """Nothing more comes in; what came is placed while all the rest still runs."""
        if keeper := self._keepers.pop("gateway", None):
            keeper.cancel()
        await self._stop(self.gateway)
        await intake.drain(self.emulator, self._say, hurried=lambda: self._hurried)

    def _others_to_stop(self) -> list[Part]:
        return [getattr(self, name) for name in ORDER_OF_LEAVING if hasattr(self, name)]

    async def _stop(self, part: Part) -> None:
        if part.process.running:
            await part.stop()
            self._say(part.name, "ended")


async def together(*work: Coroutine[Any, Any, None]) -> None:
    """Wait for all of it; the first failure ends the rest and is the one to hear of."""
    try:
        async with asyncio.TaskGroup() as tasks:
            for one in work:
                tasks.create_task(one)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
