"""A busy day on which everything goes wrong, by a seed; and nothing is lost."""

import asyncio
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
AGAIN = f"make chaos SEED={SEED} DURATION={DURATION_S:g}"


@pytest.mark.timeout(DURATION_S + 400)
async def test_nothing_is_lost_whatever_happens(servers: Servers, folder: Path):
    console.print(f"\nSEED={SEED} DURATION={DURATION_S:g}; logs are in {folder}")

    try:
        async with (
            System.started(servers, folder, Random(f"{SEED} proxies")) as system,
            Trial.of(system, SEED) as trial,
        ):
            await trial.run(DURATION_S, say=console.print)
            result = await trial.conclude()
            servers.kept = bool(result.violations)
    except asyncio.CancelledError:  # by Ctrl-C
        console.print(f"\nended in the middle; the same again: {AGAIN}")
        raise

    console.print(report(result, f"{folder}; databases: {servers.postgres.data}"))
    if result.violations:
        console.print(f"the same again: {AGAIN}")
    assert result.orders
    assert result.faults
    assert result.samples
    assert not result.violations
