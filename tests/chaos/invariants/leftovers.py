"""What nobody should find afterwards: locks, errors, memory not given back."""

import json
import re
from collections.abc import AsyncIterator

import psutil

from orderly.stack.services import NAMES
from tests.chaos.invariants.evidence import Evidence, Violation, rows, violated

LARGEST_RSS = 400 * 2**20
MOST_FILES = 400


async def nothing_is_left_behind(evidence: Evidence) -> AsyncIterator[Violation]:
    """No lock, no open transaction, no more memory and files than there should be."""
    names = list(NAMES)
    left = await rows(
        evidence.databases["orders"],
        "SELECT application_name, state, xact_start FROM pg_stat_activity"
        " WHERE application_name = ANY(:names) AND state LIKE 'idle in transaction%'"
        " AND xact_start < now() - interval '5 seconds'",
        names=names,
    )
    left += await rows(
        evidence.databases["orders"],
        "SELECT a.application_name, l.locktype FROM pg_locks l"
        " JOIN pg_stat_activity a USING (pid)"
        " WHERE l.locktype = 'advisory' AND a.application_name = ANY(:names)",
        names=names,
    )
    for row in left:
        yield violated("nothing_is_left_behind", row, "a lock or a transaction")
    for member in evidence.system.members.values():
        process = psutil.Process(member.process.pid)
        rss, files = process.memory_info().rss, process.num_fds()
        if rss > LARGEST_RSS or files > MOST_FILES:
            what = f"{rss >> 20} MiB, {files} files"
            yield Violation("bounded", what, member.name)


# What is an error, and was meant to be.
MEANT = re.compile("Event put aside|Order refused that was accepted")


async def nothing_unforeseen_is_logged(evidence: Evidence) -> AsyncIterator[Violation]:
    for member in evidence.system.members.values():
        for line in member.process.log.read_text().splitlines():
            wrong = _unforeseen(line)
            if wrong:
                yield Violation("logged", wrong, member.name)


def _unforeseen(line: str) -> str:
    if not line.startswith("{"):
        return line if line.startswith("Traceback") else ""
    try:
        told = json.loads(line)
    except ValueError:
        return ""  # it was killed in the middle of the word
    is_error = told.get("level") in {"error", "critical"}
    return line[:500] if is_error and not MEANT.match(told.get("message", "")) else ""
