"""The three services: each a process of its own, as in its container."""

import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from typing_extensions import override

from orderly import tokens
from orderly.stack.folder import CLONE, Folder
from orderly.stack.processes import Part, Process, answers

NAMES = ("orders", "inventory", "accounting")
SERVES_WITHIN_S = 60.0
# What the platform gives a service between SIGTERM and SIGKILL, less a little.
LEAVES_WITHIN_S = 25.0
# What stands in for a payment gateway here signs with it; a real one has its own.
GATEWAY_SECRET = "local"  # noqa: S105
PYTHON = Path(sys.prefix) / "bin" / "python"


class Service(Part):
    def __init__(
        self, name: str, port: int, folder: Folder, env: Mapping[str, str]
    ) -> None:
        self.port = port
        self.process = Process(
            name=name,
            argv=[PYTHON, "-m", name],
            env=env,
            cwd=CLONE,
            log=folder.log(name),
            run_file=folder.run_file(name),
            stop_signals=((signal.SIGTERM, LEAVES_WITHIN_S),),
        )

    @override
    async def start(self) -> None:
        """Return when it serves: it does so also while what it needs is away."""
        await self.process.start()
        await self.process.ready(self._serves, within_s=SERVES_WITHIN_S)

    async def is_ready(self) -> bool:
        return await answers(self.port, "/readyz")

    async def _serves(self) -> bool:
        return await answers(self.port, "/healthz")


def shared_environment(issuer: str, aws: Mapping[str, str]) -> dict[str, str]:
    """Settings given to us pass through, but nobody's database or AWS account does."""
    given = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PG", "AWS_"))
    }
    accepted = {
        "issuer": issuer,
        "jwks_url": f"{issuer}/.well-known/jwks.json",
        "audience": tokens.AUDIENCE,
    }
    return {
        "ACCOUNTING_GATEWAY_SECRETS": json.dumps([GATEWAY_SECRET]),
        **given,
        **aws,
        "ORDERLY_ISSUERS": json.dumps([accepted]),
        "ORDERLY_LOG_FORMAT": "console",
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": "localhost,127.0.0.1",
        "no_proxy": "localhost,127.0.0.1",
    }


def own_environment(name: str, *, port: int, database_url: str) -> dict[str, str]:
    prefix = name.upper()
    return {
        f"{prefix}_HOST": "127.0.0.1",
        f"{prefix}_PORT": str(port),
        f"{prefix}_DATABASE_URL": database_url,
    }
