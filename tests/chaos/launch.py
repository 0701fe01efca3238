"""Starts a service as `python -m <service>` does, on a day when something is wrong.

Its clock may jump, as a file says that the nemesis writes, and names may be found no
more while there is another; and it may have a bug, so that one sees whether anybody
notices. Nothing of it is in the services.
"""

import importlib
import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import time_machine

CLOCK = "ORDERLY_CHAOS_CLOCK"  # the file: by how many seconds the clock is wrong
NAMELESS = "ORDERLY_CHAOS_NAMELESS"  # the file: while it is there, so it is
NAME = "localhost"  # of the proxies
BUG = "ORDERLY_CHAOS_BUG"  # its name, in tests/chaos/bugs.py
LOOKS_EVERY_S = 0.2


def _keep_wrong(file: Path) -> None:
    """Let the clock jump whenever the file says something new; it goes on ticking."""
    wrong_by, travelling = 0.0, None
    while True:
        now = _wrong_by(file)
        if now != wrong_by:
            if travelling:
                travelling.stop()
            wrong_by, travelling = now, None
            if now:
                travelling = time_machine.travel(time.time() + now, tick=True)
                travelling.start()
        time.sleep(LOOKS_EVERY_S)


def _wrong_by(file: Path) -> float:
    try:
        return float(file.read_text())
    except (FileNotFoundError, ValueError):
        return 0.0


def _forget_names(file: Path) -> None:
    as_ever = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:
        if host in {NAME, NAME.encode()} and file.exists():
            raise socket.gaierror(socket.EAI_AGAIN, "a bad day")
        return as_ever(host, *rest, **more)

    socket.getaddrinfo = getaddrinfo


def main() -> None:
    name = sys.argv.pop(1)
    if nameless := os.environ.get(NAMELESS):
        _forget_names(Path(nameless))
    if clock := os.environ.get(CLOCK):
        threading.Thread(target=_keep_wrong, args=[Path(clock)], daemon=True).start()
    service = importlib.import_module(f"{name}.main").SERVICE
    if bug := os.environ.get(BUG):
        from tests.chaos import bugs  # noqa: PLC0415 - slow to import, seldom needed

        bugs.introduce(bug, name)
    service.main()


if __name__ == "__main__":
    main()
