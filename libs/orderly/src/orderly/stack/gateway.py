"""Caddy from a wheel: the load balancer's stand-in."""

import os
import sysconfig
from pathlib import Path

from typing_extensions import override

from orderly.stack.folder import CLONE, Folder
from orderly.stack.ports import Ports
from orderly.stack.processes import Part, Process, answers

READY_WITHIN_S = 30.0


class Gateway(Part):
    def __init__(self, folder: Folder, ports: Ports) -> None:
        self.port = ports.gateway
        home = folder.path / "caddy"
        self.process = Process(
            name="gateway",
            argv=[
                Path(sysconfig.get_path("scripts")) / "caddy",
                *("run", "--config", CLONE / "Caddyfile", "--adapter", "caddyfile"),
            ],
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "HOME": str(home),
                "GATEWAY_BIND": "127.0.0.1",
                "GATEWAY_PORT": str(ports.gateway),
                "GATEWAY_PUBLIC": str(folder.public),
                "GATEWAY_CONSOLE": str(CLONE / "console"),
                "ORDERS_UPSTREAM": f"127.0.0.1:{ports.orders}",
                "INVENTORY_UPSTREAM": f"127.0.0.1:{ports.inventory}",
                "ACCOUNTING_UPSTREAM": f"127.0.0.1:{ports.accounting}",
            },
            log=folder.log("gateway"),
            run_file=folder.run_file("gateway"),
        )

    @override
    async def start(self) -> None:
        await self.process.start()
        await self.process.ready(self._answers, within_s=READY_WITHIN_S)

    async def _answers(self) -> bool:
        return await answers(self.port, "/.well-known/jwks.json")
