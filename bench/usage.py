"""CPU seconds by process, which can be compared where clocks on the wall cannot."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, kw_only=True)
class Usage:
    cpu_s: float
    wakeups: int
    rss_mb: float

    def since(self, before: "Usage") -> "Usage":
        return Usage(
            cpu_s=self.cpu_s - before.cpu_s,
            wakeups=self.wakeups - before.wakeups,
            rss_mb=self.rss_mb,
        )


def usage_of(pid: int) -> Usage:
    """A process with its children, those that have ended as well."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    figures = [found for one in family if (found := _figures(one.pid))]
    return Usage(
        cpu_s=sum(cpu for cpu, _, _ in figures),
        wakeups=sum(wakeups for _, wakeups, _ in figures),
        rss_mb=sum(rss for _, _, rss in figures),
    )


def _figures(pid: int) -> tuple[float, int, float] | None:
    folder = Path("/proc", str(pid))
    try:
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        status = (folder / "status").read_text()
        memory = (folder / "smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    # utime, stime, and the same of children that were waited for
    ticks = sum(map(int, fields[11:15]))
    return ticks / _TICKS, _number(status, "voluntary_ctxt_switches"), _pss(memory)


def stolen_s() -> float:
    """What the host gave to others since it started, of all cores."""
    cpu = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return int(cpu[8]) / _TICKS


def _number(text: str, name: str) -> int:
    return int(text.partition(f"\n{name}:")[2].split(maxsplit=1)[0])


def _pss(memory: str) -> float:
    """Shared pages are counted once: PostgreSQL's processes share most of theirs."""
    return _number(memory, "Pss") / 1024


def usage_by_part(pids: Mapping[str, int]) -> dict[str, Usage]:
    return {name: usage_of(pid) for name, pid in pids.items()}


def between(
    before: Mapping[str, Usage], after: Mapping[str, Usage]
) -> dict[str, Usage]:
    return {name: now.since(before[name]) for name, now in after.items()}
