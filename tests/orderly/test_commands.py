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

from orderly.stack import postgres
from orderly.stack.ports import PARTS
from orderly.stack.services import LEAVES_WITHIN_S
from tests.flows.shop import JSON, an_order
from tests.orderly.command import Command, place_what_is_printed
from tests.orderly.conftest import listening
from tests.orderly.screen import screen


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
def test_a_stack_forgets_when_it_is_told_to_and_takes_up_what_was_under_way(orderly):
    leave_what_nobody_can_start(orderly)
    printed = started(orderly, "--fresh")
    first = orderly.pids()
    assert listened(first) == {"127.0.0.1"}
    assert f"{orderly.ports.url} " in orderly("status").stdout
    assert is_a_problem(httpx.get(f"{orderly.ports.url}/v1/nothing", trust_env=False))
    second_attempt = orderly.up()
    assert second_attempt.returncode == 1
    assert "runs here already" in second_attempt.stdout

    decided = place_what_is_printed(orderly, printed)
    assert decided["status"] == "confirmed"
    os.kill(first["inventory"], signal.SIGSTOP)
    order = an_order(("SOAP-5L", 2))
    under_way = place(orderly, order)
    assert (under_way.status_code, under_way.json()["status"]) == (201, "placed")
    assert orderly("down").returncode == 0
    assert not any(map(psutil.pid_exists, first.values()))

    with screen(orderly, "up", *orderly.options) as stack:
        stack.until(r"A first order, to copy:[\s\S]*}'")
        again = place(orderly, order, Prefer="wait=30")
        assert (again.status_code, again.json()["id"]) == (200, under_way.json()["id"])
        assert again.json()["status"] == "confirmed"
        assert place_what_is_printed(orderly, stack.text)["status"] == "confirmed"
        stack.until(r"\d orders? a minute · decided in [\d.]+ m?s · 0 undecided")
        is_watched(orderly)

        # One that does not listen is not waited for by who presses it twice.
        parts = orderly.pids()
        os.kill(parts["inventory"], signal.SIGSTOP)
        stack.ctrl_c()
        stack.until("leaving")
        stack.ctrl_c()
        assert stack.left(LEAVES_WITHIN_S - 5) == 0
        assert "everything has ended; the data is kept" in stack.text
    assert not any(map(psutil.pid_exists, parts.values()))


def is_watched(orderly: Command) -> None:
    with screen(orderly, "top") as top:
        top.until(r"newest 3 +3 confirmed")
        top.until(r"orderly-inventory-from-orders +│ +0 │ +0 │ +0 s │ +0")
        top.ctrl_c()
        assert top.left() in (0, 130)


def leave_what_nobody_can_start(orderly: Command) -> None:
    data = postgres.home_for(orderly.folder.path) / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("9.6\n")
    orderly.folder.demo_done.touch()


def place(orderly: Command, order: JSON, **headers: str) -> httpx.Response:
    token = orderly("token").stdout.strip()
    known = {"Authorization": f"Bearer {token}", "Idempotency-Key": "under-way"}
    return httpx.post(
        f"{orderly.ports.url}/v1/orders",
        json=order,
        headers=known | headers,
        timeout=60,
        trust_env=False,
    )


def started(orderly: Command, *arguments: str) -> str:
    up = orderly.up(*arguments)
    assert up.returncode == 0, up.stdout + up.stderr
    assert set(orderly.pids()) == set(PARTS)
    return up.stdout


def listened(pids: dict[str, int]) -> set[str]:
    return set().union(*map(listening, pids.values()))


def is_a_problem(answer: httpx.Response) -> bool:
    return answer.headers["content-type"] == "application/problem+json"
