"""Bugs are put in by the names of what they spoil, and names change."""

import subprocess
import sys

SPOIL_ALL = (
    "from tests.chaos.bugs import BUGS\nfor bug in BUGS.values():\n    bug.spoil()"
)


def test_each_bug_finds_what_it_spoils():
    # In a process of its own: what is spoilt stays so.
    spoilt = subprocess.run(  # noqa: S603
        [sys.executable, "-c", SPOIL_ALL], check=False, capture_output=True, text=True
    )

    assert spoilt.returncode == 0, spoilt.stderr
