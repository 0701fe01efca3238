"""The command as a person calls it, on a stack of the tests' own."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import psutil
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from orderly.stack import postgres
from orderly.stack.folder import Folder
from orderly.stack.ports import PARTS, Ports
from orderly.stack.processes import Identity
from orderly.stack.services import LEAVES_WITHIN_S
from tests.orderly.conftest import listening


class Command:
    def __init__(self, folder: Path) -> None:
        self.folder = Folder(folder)
        self.ports = Ports.free()

    def __call__(
        self, *arguments: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603
            [sys.executable, "-m", "orderly", *arguments],
            env=self.env | environment,
            check=False,
            capture_output=True,
            text=True,
        )

    def up(self) -> subprocess.CompletedProcess[str]:
        return self("up", "--detach", *self.options)

    @contextmanager
    def at_a_terminal(self, *arguments: str) -> Iterator["Terminal"]:
        """Run it as from a shell: in the foreground, and a group of its own."""
        with (
            self.printed.open("w") as printed,
            subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "orderly", "up", *arguments, *self.options],
                env=self.env,
                stdout=printed,
                stderr=printed,
                process_group=0,
            ) as process,
        ):
            terminal = Terminal(process, self.printed)
            terminal.read("A first order, to copy:")
            yield terminal

    @property
    def printed(self) -> Path:
        return self.folder.path / "printed"

    @property
    def options(self) -> list[str]:
        return [f"--{option}={port}" for option, port in self.ports.options()]

    @property
    def env(self) -> dict[str, str]:
        """No other stack of this machine, and lines of any length."""
        return os.environ | {
            "ORDERLY_FOLDER": str(self.folder.path),
            "COLUMNS": "100",
            "NO_PROXY": "localhost",
        }

    def pids(self) -> dict[str, int]:
        found = {part: Identity.read(self.folder.run_file(part)) for part in PARTS}
        return {
            part: identity.pid
            for part, identity in found.items()
            if identity and identity.process()
        }


@dataclass(frozen=True)
class Terminal:
    process: subprocess.Popen[bytes]
    printed: Path

    def read(self, words: str, within_s: float = 120) -> str:
        """What is printed, once the words are there."""
        deadline = monotonic() + within_s
        while words not in (text := self.printed.read_text()):
            assert self.process.poll() is None, text
            assert monotonic() < deadline, text
            sleep(0.1)
        return text

    def ctrl_c(self) -> None:
        """All that belong to the terminal's foreground get it, as from a keyboard."""
        os.killpg(self.process.pid, signal.SIGINT)


@pytest.fixture
def orderly(tmp_path: Path) -> Iterator[Command]:
    command = Command(tmp_path)
    yield command
    command("down")  # says so at once where nothing has run
    postgres.forget(tmp_path)


def test_a_token_is_printed_alone(orderly):
    printed = orderly("token", "--scope", "orders.read", "--customer", "c-42").stdout

    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", printed)


def test_the_public_key_is_put_where_the_gateway_serves_it(orderly):
    token = orderly("token").stdout.strip()

    orderly("keys")

    published = orderly.folder.public / ".well-known" / "jwks.json"
    (key,) = json.loads(published.read_text())["keys"]
    assert "d" not in key
    assert jwt.decode(token, KeySet.import_key_set({"keys": [key]})).claims["iss"]


def test_demo_products_are_put_there_once(orderly):
    orderly.folder.path.mkdir(exist_ok=True)
    nobody = f"http://localhost:{orderly.ports.gateway}"

    failed = orderly("demo", ORDERLY_URL=nobody)
    orderly.folder.demo_done.touch()
    again = orderly("demo", ORDERLY_URL=nobody)

    assert (failed.returncode, nobody in failed.stdout) == (1, True)
    assert (again.returncode, again.stdout) == (0, "Demo products are in stock.\n")


def test_nothing_runs_until_it_is_started(orderly):
    status = orderly("status")

    assert status.returncode == 1
    assert "orderly up" in status.stdout


# One story, for starting a stack is what takes the time.
@pytest.mark.timeout(400)
@pytest.mark.postgres
@pytest.mark.localstack
def test_a_stack_runs_until_it_is_told_to_end_and_fresh_forgets_everything(orderly):
    printed = started(orderly)
    first = orderly.pids()
    assert listened(first) == {"127.0.0.1"}
    assert f"{orderly.ports.url} " in orderly("status").stdout
    assert is_a_problem(httpx.get(f"{orderly.ports.url}/v1/nothing", trust_env=False))
    second_attempt = orderly.up()
    assert second_attempt.returncode == 1
    assert "runs here already" in second_attempt.stdout

    order = place_what_is_printed(orderly, printed)
    assert order["status"] == "confirmed"
    assert orderly("down").returncode == 0
    assert not any(map(psutil.pid_exists, first.values()))

    with orderly.at_a_terminal("--fresh") as terminal:
        assert "forgot everything" in terminal.printed.read_text()
        forgotten = place_what_is_printed(orderly, terminal.read("}'"))
        assert forgotten["number"] == order["number"]

        # One that does not listen is not waited for by who presses it twice.
        parts = orderly.pids()
        os.kill(parts["inventory"], signal.SIGSTOP)
        terminal.ctrl_c()
        terminal.read("leaving")
        terminal.ctrl_c()
        assert terminal.process.wait(LEAVES_WITHIN_S - 5) == 0
    assert "everything has ended; the data is kept" in terminal.printed.read_text()
    assert not any(map(psutil.pid_exists, parts.values()))


def place_what_is_printed(orderly: Command, printed: str) -> Any:
    """Do with the first order what it is printed for."""
    (command,) = re.findall(r"^curl .*?}'$", printed, re.MULTILINE | re.DOTALL)
    placed = subprocess.run(  # noqa: S603
        ["bash", "-c", command],  # noqa: S607
        env=orderly.env,
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(placed.stdout)


def started(orderly: Command) -> str:
    up = orderly.up()
    assert up.returncode == 0, up.stdout + up.stderr
    assert set(orderly.pids()) == set(PARTS)
    return up.stdout


def listened(pids: dict[str, int]) -> set[str]:
    return set().union(*map(listening, pids.values()))


def is_a_problem(answer: httpx.Response) -> bool:
    return answer.headers["content-type"] == "application/problem+json"
