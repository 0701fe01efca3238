"""The `orderly` command with a stack of the test's own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
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

    def up(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self("up", "--detach", *arguments, *self.options)

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
