"""A busy day on which everything goes wrong, by a seed; and nothing is lost."""

import os
import random
from pathlib import Path
from random import Random

import pytest

from tests.chaos.report import console, report
from tests.chaos.run import Trial
from tests.chaos.system import Servers, System

pytestmark = [
    pytest.mark.xdist_group("stack"),  # there is one: one worker
    pytest.mark.chaos,
]

SEED = int(os.environ.get("ORDERLY_SEED", random.randrange(10**6)))
DURATION_S = float(os.environ.get("ORDERLY_CHAOS_DURATION", "60"))


@pytest.mark.timeout(DURATION_S + 400)
async def test_nothing_is_lost_whatever_happens(servers: Servers, folder: Path):
    console.print(f"\nSEED={SEED} DURATION={DURATION_S:g}; logs are in {folder}")

    async with (
        System.started(servers, folder, Random(f"{SEED} proxies")) as system,
        Trial.of(system, SEED) as trial,
    ):
        await trial.run(DURATION_S, say=console.print)
        result = await trial.conclude()
        servers.kept = bool(result.violations)

    console.print(report(result, f"{folder}; databases: {servers.postgres.data}"))
    assert result.orders
    assert result.faults
    assert result.samples
    assert not result.violations
