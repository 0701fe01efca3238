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
# Of what stands still, with a bug and without: so that slow is never taken for wrong.
PATIENCE_S = 15.0
BUYERS = 12
ANSWERS = 200
OF_EACH = 2  # faults, for one may meet nobody
ALL_FAULTS = sorted({fault for bug in BUGS.values() for fault in bug.shown_by})


async def a_run(servers: Servers, folder: Path, *faults: str, bug: str = "") -> Result:
    processes = BUGS[bug].processes if bug else 2
    system_of = System.started(
        servers, folder, Random(SEED), processes=processes, bug=bug
    )
    async with (
        system_of as system,
        Trial.of(system, SEED) as trial,
    ):
        trial.patience_s = PATIENCE_S
        trial.market.manners = BUGS[bug].buyers if bug else ()
        await trial.run(
            FOR_S,
            *faults,
            at_least=ANSWERS,
            of_each=OF_EACH,
            buyers=BUYERS,
            with_lives=False,
        )
        return await trial.conclude()


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.replace(" ", "_"))
async def test_a_bug_is_noticed_by_what_it_breaks(
    servers: Servers, folder: Path, bug: str
):
    shown_by = BUGS[bug].shown_by or ("nothing",)

    result = await a_run(servers, folder, *shown_by, bug=bug)

    noticed = {violation.invariant for violation in result.violations}
    console.print(f"\n{bug}: {', '.join(sorted(noticed)) or 'nobody notices'}")
    assert noticed & set(BUGS[bug].breaks)


async def test_without_a_bug_nothing_is_noticed(servers: Servers, folder: Path):
    result = await a_run(servers, folder, *ALL_FAULTS)

    assert not result.violations
