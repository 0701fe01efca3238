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


@pytest.mark.timeout(180)
def test_a_stack_runs_until_it_is_told_to_end(orderly):
    started = orderly.up()
    assert started.returncode == 0, started.stdout + started.stderr

    pids = orderly.pids()
    again, status = orderly.up(), orderly("status")
    answer = httpx.get(f"{orderly.ports.url}/v1/nothing", trust_env=False)
    listened = set().union(*(listening(pid) for pid in pids.values()))
    ended = orderly("down")

    assert set(pids) == set(PARTS)
    assert again.returncode == 1
    assert "runs here already" in again.stdout
    assert f"{orderly.ports.url} " in status.stdout
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert listened == {"127.0.0.1"}
    assert ended.returncode == 0
    assert not any(psutil.pid_exists(pid) for pid in pids.values())


@pytest.mark.timeout(180)
def test_what_a_killed_supervisor_left_running_is_replaced(orderly):
    assert orderly.up().returncode == 0
    left = orderly.pids()
    state = orderly.folder.read_state()
    os.kill(state.pid, signal.SIGKILL)

    started = orderly.up()

    assert started.returncode == 0, started.stdout + started.stderr
    assert set(orderly.pids()) == set(PARTS)
    assert not any(psutil.pid_exists(pid) for pid in left.values())
