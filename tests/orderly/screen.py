"""A terminal, as the person in front of it sees and uses it."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic

from tests.orderly.command import Command

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
WITHIN_S = 120


class Screen:
    """A pseudo-terminal, and all that was ever drawn on it, without the drawing."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self._master = master
        self._drawn = b""

    @property
    def text(self) -> str:
        drawn = ESCAPES.sub("", self._drawn.decode(errors="replace"))
        return drawn.replace("\r\n", "\n").replace("\r", "\n")

    def until(self, pattern: str) -> str:
        deadline = monotonic() + WITHIN_S
        while not re.search(pattern, self.text):
            assert monotonic() < deadline, self.text
            assert self._read(), self.text
        return self.text

    def ctrl_c(self) -> None:
        """As from its keyboard: all in its foreground get it."""
        os.write(self._master, b"\x03")

    def left(self, within_s: float = WITHIN_S) -> int:
        """The exit status."""
        deadline = monotonic() + within_s
        while self._read():
            assert monotonic() < deadline, self.text
        return self.process.wait(within_s)

    def _read(self) -> bool:
        """False: whoever drew has left."""
        if not select.select([self._master], [], [], 1)[0]:
            return self.process.poll() is None
        with suppress(OSError):  # Linux's end of file
            more = os.read(self._master, 65536)
            self._drawn += more
            return bool(more)
        return False


@contextmanager
def screen(command: Command, *arguments: str) -> Iterator[Screen]:
    master, slave = pty.openpty()
    # Who leads a session and opens a terminal has it: its Ctrl-C is a signal there.
    opens = 'exec "$@" <"$0" >"$0" 2>&1'
    terminal = ["/bin/sh", "-c", opens, os.ttyname(slave)]
    process = subprocess.Popen(  # noqa: S603
        [*terminal, sys.executable, "-m", "orderly", *arguments],
        env=command.env | {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"},
        start_new_session=True,
    )
    try:
        yield Screen(process, master)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(WITHIN_S)
        os.close(slave)
        os.close(master)
