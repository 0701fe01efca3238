"""What a person watches at a terminal: the live line of `orderly up`, and `top`."""

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

import pytest

from tests.orderly.command import Command, place_what_is_printed

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

    def ctrl_c(self) -> int:
        """As from its keyboard; the exit status."""
        os.write(self._master, b"\x03")
        while self._read():
            pass
        return self.process.wait(WITHIN_S)

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


# One story, for starting a stack is what takes the time.
@pytest.mark.timeout(400)
@pytest.mark.postgres
@pytest.mark.localstack
def test_orders_are_watched_as_they_flow(orderly):
    with screen(orderly, "up", *orderly.options) as stack:
        stack.until(r"0 orders a minute · decided in never yet · 0 undecided")
        order = place_what_is_printed(orderly, stack.text)
        assert order["status"] == "confirmed"
        stack.until(r"1 order a minute · decided in [\d.]+ m?s · 0 undecided")

        with screen(orderly, "top") as top:
            top.until(r"newest 1 +1 confirmed")
            top.until(r"orderly-inventory-from-orders +│ +0 │ +0 │ +0 s │ +0")
            assert top.ctrl_c() in (0, 130)

        assert stack.ctrl_c() == 0
        assert "everything has ended; the data is kept" in stack.text
