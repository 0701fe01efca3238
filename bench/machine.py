"""Where and of what the figures are."""

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from orderly.stack.folder import CLONE


def describe() -> dict[str, Any]:
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(
            os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1
        ),
        "system": platform.platform(),
        "python": platform.python_version(),
        "commit": _git("rev-parse", "HEAD"),
        "changed": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "load_average": os.getloadavg(),
    }


def _processor() -> str:
    cpus = Path("/proc/cpuinfo").read_text()
    _, found, rest = cpus.partition("model name")
    return rest.split(":", 1)[1].split("\n", 1)[0].strip() if found else "unknown"


def _git(*arguments: str) -> str:
    asked = subprocess.run(  # noqa: S603
        ["git", *arguments],  # noqa: S607
        cwd=CLONE,
        check=False,
        capture_output=True,
        text=True,
    )
    return asked.stdout.strip()
