from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from orderly.stack import postgres
from orderly.stack.emulator import Emulator
from orderly.stack.ports import free_port
from orderly.stack.postgres import Postgres
from tests.orderly.command import Command


@pytest.fixture(scope="session")
async def server() -> AsyncIterator[Postgres]:
    """One that tests share, and leave running."""
    async with Postgres.throwaway() as server:
        yield server


@pytest.fixture(scope="session")
async def emulator() -> AsyncIterator[Emulator]:
    """One that tests share, and leave running and empty."""
    async with Emulator.throwaway() as emulator:
        yield emulator


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Where the server of a stack in `tmp_path`, which others cannot enter, lives."""
    yield postgres.home_for(tmp_path)
    postgres.forget(tmp_path)


@pytest.fixture
async def own_server(home: Path) -> AsyncIterator[Postgres]:
    """A test's own, not started yet; stopped for certain."""
    server = Postgres(home, free_port(), throwaway=True)
    yield server
    await server.stop()


def listening(pid: int) -> set[str]:
    """The addresses that the process and its children listen on."""
    process = psutil.Process(pid)
    return {
        str(connection.laddr.ip)
        for one in (process, *process.children(recursive=True))
        for connection in one.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


class Told:
    """What a person would have been shown."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, part: str, text: str) -> None:
        self.lines.append(f"{part}: {text}")

    def __contains__(self, words: Any) -> bool:
        return any(words in line for line in self.lines)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def orderly(tmp_path: Path) -> Iterator[Command]:
    command = Command(tmp_path)
    yield command
    command("down")  # says so at once where nothing has run
    postgres.forget(tmp_path)
