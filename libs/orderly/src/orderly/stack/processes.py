"""Child processes: in sessions of their own, told apart and stopped for certain."""

import asyncio
import contextlib
import ctypes
import json
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import psutil

from orderly.errors import StackError

POLL_S = 0.02
LAST_GASP_S = 5.0
ANSWERS_WITHIN_S = 5.0
LARGEST_LOG_BYTES = 20_000_000
PR_SET_PDEATHSIG = 1
# Found before the fork: after it, the child must not go looking for libraries.
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


@dataclass(frozen=True)
class Account:
    """An operating system account to run something as."""

    name: str
    uid: int
    gid: int

    @property
    def popen_options(self) -> dict[str, Any]:
        return {"user": self.uid, "group": self.gid, "extra_groups": ()}


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Which process is meant: a pid alone may be somebody else's by now."""

    pid: int
    started: float
    argv: list[str]

    # The wall clock may be set while a process runs, and its start moves along.
    CLOCK_TOLERANCE_S = 5.0

    @classmethod
    def read(cls, path: Path) -> "Identity | None":
        try:
            return cls(**json.loads(path.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    @classmethod
    def of(cls, pid: int, argv: list[str]) -> "Identity":
        return cls(pid=pid, started=psutil.Process(pid).create_time(), argv=argv)

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(vars(self)))

    def process(self) -> psutil.Process | None:
        """Return the process if it still runs and is the one that was started."""
        try:
            process = psutil.Process(self.pid)
            same_start = (
                abs(process.create_time() - self.started) < self.CLOCK_TOLERANCE_S
            )
            alive = process.status() != psutil.STATUS_ZOMBIE
            same = same_start and process.cmdline() == self.argv
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return None
        return process if alive and same else None

    async def end(self, number: signal.Signals, *, patience_s: float) -> None:
        """Have the process end, which need not be a child of ours."""
        if process := self.process():
            process.send_signal(number)
        deadline = monotonic() + patience_s
        while process := self.process():
            if monotonic() > deadline:
                process.kill()
            await asyncio.sleep(POLL_S)


@dataclass(kw_only=True, eq=False)
class Process:
    """One child; its output goes to a file, so that it outlives whoever started it.

    `leashed` is for tests: on Linux the child is stopped when its parent dies.
    """

    name: str
    argv: Sequence[str | Path]
    env: Mapping[str, str]
    log: Path
    cwd: Path = Path("/")
    run_file: Path | None = None
    account: Account | None = None
    stop_signals: Sequence[tuple[signal.Signals, float]] = ((signal.SIGTERM, 10),)
    leashed: bool = False
    _child: asyncio.subprocess.Process | None = field(default=None, init=False)
    _output_from: int = field(default=0, init=False)

    @property
    def pid(self) -> int:
        assert self._child  # noqa: S101 - only what was started has one
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.returncode is None

    async def start(self) -> None:
        argv = [str(argument) for argument in self.argv]
        options = self.account.popen_options if self.account else {}
        if self.leashed and _prctl:
            options["preexec_fn"] = _die_with_parent
        self._turn_over_log()
        with self.log.open("ab") as output:
            self._output_from = output.tell()
            starting = asyncio.ensure_future(
                asyncio.create_subprocess_exec(
                    *argv,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=dict(self.env),
                    cwd=self.cwd,
                    start_new_session=True,  # Ctrl-C is for the supervisor alone
                    **options,
                )
            )
            try:
                self._child = await asyncio.shield(starting)
            except asyncio.CancelledError:
                # Left alone, asyncio would kill it: ending it in good order is `stop`.
                self._child = await starting
                raise
        if self.run_file:
            with contextlib.suppress(
                psutil.NoSuchProcess
            ):  # it is gone already: no leftover
                Identity.of(self._child.pid, argv).write(self.run_file)

    async def ready(
        self, probe: Callable[[], Awaitable[bool]], *, within_s: float
    ) -> None:
        """Wait for the probe; a child that ends, or takes too long, is an error."""
        deadline = monotonic() + within_s
        while not await probe():
            if not self.running:
                raise StackError(self._obituary(f"{self.name} did not start"))
            if monotonic() > deadline:
                await self.stop()
                raise StackError(
                    self._obituary(f"{self.name} was not ready in {within_s:.0f} s")
                )
            await asyncio.sleep(POLL_S)

    async def wait(self) -> int:
        assert self._child  # noqa: S101 - only what was started can be waited for
        return await self._child.wait()

    async def stop(self) -> None:
        if self._child and self.running:
            for number, patience_s in (
                *self.stop_signals,
                (signal.SIGKILL, LAST_GASP_S),
            ):
                self.send_signal(number)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._child.wait(), patience_s)
                    break
        if self.run_file:
            self.run_file.unlink(missing_ok=True)

    def send_signal(self, number: signal.Signals) -> None:
        if self._child and self.running:
            with contextlib.suppress(ProcessLookupError):
                self._child.send_signal(number)

    def output(self) -> str:
        """Return what the child wrote since its last start."""
        with self.log.open("rb") as log:
            log.seek(self._output_from)
            return log.read().decode(errors="replace")

    def _turn_over_log(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LARGEST_LOG_BYTES:
            self.log.replace(f"{self.log}.1")

    def _obituary(self, what: str) -> str:
        last_lines = self.output().strip().splitlines()[-15:]
        return "\n".join(
            [f"{what}; its log is {self.log}", *(f"  {line}" for line in last_lines)]
        )


class Part(ABC):
    """One of the things a stack is made of: a process, and what makes it ready."""

    process: Process

    @property
    def name(self) -> str:
        return self.process.name

    @abstractmethod
    async def start(self) -> None:
        """Start it, and return when it answers."""

    async def wait(self) -> int:
        return await self.process.wait()

    async def stop(self) -> None:
        await self.process.stop()


async def answers(port: int, path: str) -> bool:
    """Ask a port of this machine once, whatever proxies are configured."""
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            with contextlib.closing(writer):
                writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
                status_line = await reader.readline()
    except (OSError, TimeoutError):
        return False
    return b" 200 " in status_line


def _die_with_parent() -> None:
    assert _prctl  # noqa: S101 - only asked for where there is one
    _prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def describe(status: int) -> str:
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit status {status}"
