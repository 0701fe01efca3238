"""Whether each service keeps to its own OpenAPI, whatever it is sent.

`make fuzz` goes on until it has sent as much as was asked; nothing asked is a share.
"""

import asyncio
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from chassis.testing import TokenIssuer
from orderly.tokens import SCOPES
from tests.served import served
from tests.test_services import SERVICES

ONLY = os.environ.get("ORDERLY_FUZZ_SERVICE")
FUZZED = [service for service in SERVICES if not ONLY or service.name == ONLY]
# Of each service, so many cases or so long; if neither is asked for, a share.
CASES = -(-int(os.environ.get("ORDERLY_FUZZ_CASES") or 0) // len(FUZZED))
SECONDS = int(os.environ.get("ORDERLY_FUZZ_SECONDS") or 0)
ROUND_S = SECONDS or 120
CONFIG = Path(__file__).with_name("schemathesis.toml")
# Without the phase that tries every boundary of every field, and without chance: who
# changes something else is not to be refused for what it finds.
SHARE = ("--phases", "examples,fuzzing,stateful", "--max-examples", "3", "--seed", "1")
FIRST = ("--max-time", str(ROUND_S))
# Boundaries are the same each time: what is drawn by chance is not.
NEXT = ("--phases", "fuzzing,stateful", *FIRST)


@pytest.fixture(scope="module")
def tally() -> Counter[str]:
    """Of the cases."""
    return Counter()


@pytest.fixture
def count(fuzzed, tally: Counter[str], capsys) -> Callable[[int], int]:
    """Add to the service's cases; shown to who asked for many."""

    def add(cases: int) -> int:
        tally[fuzzed.name] += cases
        if CASES or SECONDS:
            each = ", ".join(f"{name} {cases:,}" for name, cases in tally.items())
            with capsys.disabled():
                print(f"\n{tally.total():,} cases without a failure: {each}")  # noqa: T201
        return tally[fuzzed.name]

    return add


@pytest.fixture(params=FUZZED, ids=lambda service: service.name)
def fuzzed(request):
    return request.param


@pytest.fixture
def service(fuzzed) -> str:
    name: str = fuzzed.name
    return name


@pytest.mark.fuzz
@pytest.mark.timeout(max(SECONDS, CASES) + 300)
async def test_it_keeps_to_its_openapi(
    fuzzed, database, provisioned, issuer: TokenIssuer, count: Callable[[int], int]
):
    async with served(fuzzed, database, provisioned, [issuer.trusted]) as service:
        where = (
            f"{service.url}/v1/{fuzzed.name}/openapi.json",
            *("--header", f"Authorization: Bearer {issuer.token(*SCOPES, exp=2**31)}"),
        )
        first = FIRST if CASES or SECONDS else SHARE
        cases = count(await sent(*where, *first))
        while cases < CASES:
            cases = count(await sent(*where, *NEXT))


async def sent(*arguments: str) -> int:
    """How many cases that were; a failure is told with the request that shows it."""
    said = await schemathesis(["run", *arguments])
    generated = re.search(r"(\d+) generated", said)
    assert generated, said
    return int(generated[1])


async def schemathesis(arguments: Sequence[str]) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG)),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await process.communicate()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    assert process.returncode == 0, said.decode()
    return said.decode()
