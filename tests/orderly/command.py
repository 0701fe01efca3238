"""The `orderly` command with a stack of the test's own."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from orderly.stack.folder import Folder
from orderly.stack.ports import PARTS, Ports
from orderly.stack.processes import Identity


class Command:
    def __init__(self, folder: Path) -> None:
        self.folder = Folder(folder)
        self.ports = Ports.free()

    def __call__(
        self, *arguments: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603
            [sys.executable, "-m", "orderly", *arguments],
            env=self.env | environment,
            check=False,
            capture_output=True,
            text=True,
        )

    def up(self) -> subprocess.CompletedProcess[str]:
        return self("up", "--detach", *self.options)

    @contextmanager
    def at_a_terminal(self, *arguments: str) -> Iterator["Terminal"]:
        """Run it as from a shell: in the foreground, and a group of its own."""
        with (
            self.printed.open("w") as printed,
            subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "orderly", "up", *arguments, *self.options],
                env=self.env,
                stdout=printed,
                stderr=printed,
                process_group=0,
            ) as process,
        ):
            terminal = Terminal(process, self.printed)
            terminal.read("A first order, to copy:")
            yield terminal

    @property
    def printed(self) -> Path:
        return self.folder.path / "printed"

    @property
    def options(self) -> list[str]:
        return [f"--{option}={port}" for option, port in self.ports.options()]

    @property
    def env(self) -> dict[str, str]:
        """No other stack of this machine, and lines of any length."""
        return os.environ | {
            "ORDERLY_FOLDER": str(self.folder.path),
            "COLUMNS": "100",
            "NO_PROXY": "localhost",
        }

    def pids(self) -> dict[str, int]:
        found = {part: Identity.read(self.folder.run_file(part)) for part in PARTS}
        return {
            part: identity.pid
            for part, identity in found.items()
            if identity and identity.process()
        }


@dataclass(frozen=True)
class Terminal:
    process: subprocess.Popen[bytes]
    printed: Path

    def read(self, words: str, within_s: float = 120) -> str:
        """What is printed, once the words are there."""
        deadline = monotonic() + within_s
        while words not in (text := self.printed.read_text()):
            assert self.process.poll() is None, text
            assert monotonic() < deadline, text
            sleep(0.1)
        return text

    def ctrl_c(self) -> None:
        """All that belong to the terminal's foreground get it, as from a keyboard."""
        os.killpg(self.process.pid, signal.SIGINT)


def place_what_is_printed(orderly: Command, printed: str) -> Any:
    """Do with the first order what it is printed for."""
    (command,) = re.findall(r"^curl .*?}'$", printed, re.MULTILINE | re.DOTALL)
    placed = subprocess.run(  # noqa: S603
        ["bash", "-c", command],  # noqa: S607
        env=orderly.env,
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(placed.stdout)
