"""Who checks is checked: bugs that others have had are noticed, and nothing else is."""

import os
from pathlib import Path
from random import Random

import pytest

from tests.chaos.bugs import BUGS
from tests.chaos.report import console
from tests.chaos.run import Result, Trial
from tests.chaos.system import Servers, System

pytestmark = [
    pytest.mark.xdist_group("stack"),  # there is one: one worker
    pytest.mark.chaos,
    pytest.mark.timeout(300),
]

SEED = int(os.environ.get("ORDERLY_SEED", "1"))
FOR_S = 5.0
PATIENCE_S = 8.0
BUYERS = 12
ANSWERS = 200
ALL_FAULTS = sorted({fault for bug in BUGS.values() for fault in bug.shown_by})


async def a_run(
    servers: Servers, folder: Path, *faults: str, bug: str = "", patience_s: float
) -> Result:
    processes = BUGS[bug].processes if bug else 2
    system_of = System.started(
        servers, folder, Random(SEED), processes=processes, bug=bug
    )
    async with (
        system_of as system,
        Trial.of(system, SEED) as trial,
    ):
        trial.patience_s = patience_s
        trial.market.manners = BUGS[bug].buyers if bug else ()
        await trial.run(
            FOR_S, *faults, at_least=ANSWERS, buyers=BUYERS, with_lives=False
        )
        return await trial.conclude()


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.replace(" ", "_"))
async def test_a_bug_is_noticed(servers: Servers, folder: Path, bug: str):
    shown_by = BUGS[bug].shown_by or ("nothing",)

    result = await a_run(servers, folder, *shown_by, bug=bug, patience_s=PATIENCE_S)

    noticed = sorted({violation.invariant for violation in result.violations})
    console.print(f"\n{bug}: {', '.join(noticed) or 'nobody notices'}")
    assert noticed


async def test_without_a_bug_nothing_is_noticed(servers: Servers, folder: Path):
    result = await a_run(servers, folder, *ALL_FAULTS, patience_s=60)

    assert not result.violations
