"""The command as a person calls it, on a stack of the tests' own."""

import json
import os
import re
import signal

import httpx
import psutil
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from orderly.stack.ports import PARTS
from orderly.stack.services import LEAVES_WITHIN_S
from tests.orderly.command import Command, place_what_is_printed
from tests.orderly.conftest import listening


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


def started(orderly: Command) -> str:
    up = orderly.up()
    assert up.returncode == 0, up.stdout + up.stderr
    assert set(orderly.pids()) == set(PARTS)
    return up.stdout


def listened(pids: dict[str, int]) -> set[str]:
    return set().union(*map(listening, pids.values()))


def is_a_problem(answer: httpx.Response) -> bool:
    return answer.headers["content-type"] == "application/problem+json"
