"""Whether each service keeps to its own OpenAPI, whatever it is sent.

A share of it in every run; `make fuzz` takes its time.
"""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from chassis.testing import TokenIssuer
from chassis.topology import provision
from contracts.topology import TOPOLOGY
from orderly.tokens import SCOPES
from tests.served import served
from tests.test_services import SERVICES

# Of the phases of a run; a longer one is asked for by the environment.
SECONDS = int(os.environ.get("ORDERLY_FUZZ_SECONDS", "6"))
ONLY = os.environ.get("ORDERLY_FUZZ_SERVICE")
CONFIG = Path(__file__).with_name("schemathesis.toml")


@pytest.fixture(
    params=[s for s in SERVICES if ONLY in {None, s.name}], ids=lambda s: s.name
)
def fuzzed(request):
    return request.param


@pytest.fixture
def service(fuzzed) -> str:
    name: str = fuzzed.name
    return name


@pytest.mark.timeout(SECONDS + 120)
async def test_it_keeps_to_its_openapi(
    fuzzed, database, aws, issuer: TokenIssuer, capsys: pytest.CaptureFixture[str]
):
    await provision(aws, TOPOLOGY)
    async with served(fuzzed, database, aws, [issuer.trusted]) as service:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli"),
            *("--config-file", str(CONFIG), "run"),
            f"{service.url}/v1/{fuzzed.name}/openapi.json",
            *("--header", f"Authorization: Bearer {issuer.token(*SCOPES, exp=2**31)}"),
            *("--max-time", str(SECONDS)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()

    assert process.returncode == 0, said.decode()
    if ONLY:  # who asked for it wants to know how much it was
        with capsys.disabled():
            print(said.decode().rpartition(" SUMMARY ")[2])  # noqa: T201
