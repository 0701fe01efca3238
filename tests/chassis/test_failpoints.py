import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chassis.failpoints import VARIABLE, Death

LIVING = """
from functools import partial
from chassis import failpoints

def work(): ...

failpoints.arm()
failpoints.reach("sent", "elsewhere")
failpoints.reach("committed", "a-queue")
failpoints.reach("sent", "a-queue")
print("sent once", flush=True)
failpoints.reach("sent", "a-queue")
print("sent twice", flush=True)
failpoints.reach("worked", partial(work), ("nothing",))
print("worked")
"""


def live(deaths: Path | None) -> subprocess.CompletedProcess[str]:
    environment = {VARIABLE: str(deaths)} if deaths else {}
    return subprocess.run(  # noqa: S603
        [sys.executable, "-c", LIVING],
        env=os.environ | environment | {"ORDERLY_LOG_LEVEL": "error"},
        check=False,
        stdout=subprocess.PIPE,
        text=True,
    )


def said(process: subprocess.CompletedProcess[str]) -> list[str]:
    lines = process.stdout.splitlines()
    return [line for line in lines if line.startswith(("sent", "worked"))]


def test_who_is_not_to_die_lives():
    lived = live(None)

    assert (lived.returncode, len(said(lived))) == (0, 3)


def test_one_dies_at_a_time_each_where_its_line_says(tmp_path):
    deaths = tmp_path / "deaths"
    deaths.write_text("sent a-queue @2\nworked __main__.work @1\n")

    first, second, third = live(deaths), live(deaths), live(deaths)

    assert [one.returncode for one in (first, second, third)] == [
        -signal.SIGKILL,
        -signal.SIGKILL,
        0,
    ]
    assert [len(said(one)) for one in (first, second, third)] == [1, 2, 3]


@pytest.mark.parametrize("line", ["", "sent", "nowhere a-queue @1", "sent a-queue 1"])
def test_a_place_that_is_none_is_refused(line):
    with pytest.raises(ValueError, match="not a place to die at"):
        Death.read(line)
