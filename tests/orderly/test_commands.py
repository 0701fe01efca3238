"""The command as a person calls it, on a stack of the tests' own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from orderly.stack import postgres
from orderly.stack.folder import Folder
from orderly.stack.ports import PARTS, Ports
from orderly.stack.processes import Identity
from tests.orderly.conftest import listening


class Command:
    def __init__(self, folder: Path) -> None:
        self.folder = Folder(folder)
        self.ports = Ports.free()

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603
            [sys.executable, "-m", "orderly", *arguments],
            env=os.environ
            | {"ORDERLY_FOLDER": str(self.folder.path), "COLUMNS": "100"},
            check=False,
            capture_output=True,
            text=True,
        )

    def up(self) -> subprocess.CompletedProcess[str]:
        options = [f"--{option}={port}" for option, port in self.ports.options()]
        return self("up", "--detach", *options)

    def pids(self) -> dict[str, int]:
        found = {part: Identity.read(self.folder.run_file(part)) for part in PARTS}
        return {
            part: identity.pid
            for part, identity in found.items()
            if identity and identity.process()
        }


@pytest.fixture
def orderly(tmp_path: Path) -> Iterator[Command]:
    command = Command(tmp_path)
    yield command
    command("down")
    postgres.forget(tmp_path)


def test_a_token_is_printed_alone(orderly):
    printed = orderly("token", "--scope", "orders.read", "--customer", "c-42").stdout

    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", printed)


def test_nothing_runs_until_it_is_started(orderly):
    status = orderly("status")

    assert status.returncode == 1
    assert "orderly up" in status.stdout


# One story, for starting a stack is what takes the time.
@pytest.mark.timeout(240)
def test_a_stack_runs_until_it_is_told_to_end(orderly):
    first = started(orderly)
    assert listened(first) == {"127.0.0.1"}
    assert f"{orderly.ports.url} " in orderly("status").stdout
    assert is_a_problem(httpx.get(f"{orderly.ports.url}/v1/nothing", trust_env=False))

    second_attempt = orderly.up()
    assert second_attempt.returncode == 1
    assert "runs here already" in second_attempt.stdout

    os.kill(orderly.folder.read_state().pid, signal.SIGKILL)
    replaced = started(orderly)
    assert not any(map(psutil.pid_exists, first.values()))

    assert orderly("down").returncode == 0
    assert not any(map(psutil.pid_exists, replaced.values()))


def started(orderly: Command) -> dict[str, int]:
    up = orderly.up()
    assert up.returncode == 0, up.stdout + up.stderr
    assert set(orderly.pids()) == set(PARTS)
    return orderly.pids()


def listened(pids: dict[str, int]) -> set[str]:
    return set().union(*map(listening, pids.values()))


def is_a_problem(answer: httpx.Response) -> bool:
    return answer.headers["content-type"] == "application/problem+json"
