"""What a person is shown once everything runs: where it is, and what to do first."""

import json
import secrets
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from orderly.console import COLOURS, console
from orderly.stack.folder import CLONE, Folder
from orderly.stack.ports import PARTS, Ports
from orderly.stack.processes import Identity

DOCS = "/v1/orders/docs"


def welcome(folder: Folder, ports: Ports, token: str) -> None:
    console.print()
    console.print(what_runs_where(folder, ports))
    show_console(ports, token)
    console.print(f"\nThe API's documentation: {ports.url}{DOCS}", style="bold")
    console.print("\nA token, good for everything and an hour:", style="bold")
    console.print(token, markup=False)
    console.print("\nA first order, to copy:", style="bold")
    console.print(_first_order(ports.url), markup=False)
    console.print()


def show_console(ports: Ports, token: str) -> None:
    """A link that signs in: the console takes the token out of the address at once."""
    console.print("\nThe console, good for an hour:", style="bold")
    console.print(f"{ports.url}/#token={token}", markup=False)


def what_runs_where(folder: Folder, ports: Ports) -> Table:
    table = Table("part", "where", "pid", caption=f"logs: {folder.logs}")
    for part in PARTS:
        identity = Identity.read(folder.run_file(part))
        runs = identity is not None and identity.process() is not None
        where = ports.url if part == "gateway" else f"127.0.0.1:{ports.of(part)}"
        table.add_row(
            Text(part, style=COLOURS[part]),
            where,
            str(identity.pid) if identity and runs else Text("none", style="red"),
        )
    return table


def _first_order(url: str) -> str:
    key = f"order-{secrets.token_hex(3)}"
    lines = (
        f"curl -sS {url}/v1/orders",
        f'-H "Authorization: Bearer $({_this_command()} token)"',
        f"-H 'Idempotency-Key: {key}' -H 'Prefer: wait=5'",
        "-H 'Content-Type: application/json'",
        f"-d '{json.dumps(_body(key))}'",
    )
    return " \\\n  ".join(lines)


def _body(key: str) -> dict[str, Any]:
    from orders.api.bodies import EXAMPLE  # noqa: PLC0415 - slow, and seldom needed

    order: dict[str, Any] = deepcopy(EXAMPLE)
    order["payment"]["reference"] = key  # a payment pays one order
    return order


def _this_command() -> Path:
    """How to call it from where the person is."""
    installed = Path(sys.prefix) / "bin" / "orderly"
    return installed.relative_to(CLONE) if Path.cwd() == CLONE else installed
