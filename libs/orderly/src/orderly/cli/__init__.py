"""The `orderly` command. Slow imports wait for the command that needs them."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from orderly import tokens
from orderly.cli import audit, dead_letters
from orderly.cli.target import Url, here, target_of
from orderly.console import LOOK_EVERY_S, Follower, console, say
from orderly.errors import StackError
from orderly.stack.folder import Folder, State
from orderly.stack.leftovers import stop_leftovers
from orderly.stack.ports import Ports
from orderly.stack.services import NAMES
from orderly.welcome import show_console, welcome, what_runs_where
from orderly.words import some

if TYPE_CHECKING:
    from orderly.stack.stack import Stack

DOWN_WITHIN_S = 90.0

app = typer.Typer(
    help="Run Orderly on this machine, look inside, put things right.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Port = Annotated[int, typer.Option(min=1, max=65535)]


def main() -> None:
    try:
        app()
    except StackError as error:
        console.print(str(error), style="red", markup=False)
        sys.exit(1)


@app.command()
def up(  # noqa: PLR0913 - a port for everything that has one
    *,
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Where the API is.")
    ] = Ports.gateway,
    orders_port: Port = Ports.orders,
    inventory_port: Port = Ports.inventory,
    accounting_port: Port = Ports.accounting,
    postgres_port: Port = Ports.postgres,
    emulator_port: Port = Ports.emulator,
    detach: Annotated[
        bool, typer.Option("--detach", help="Leave it running, and return.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Forget everything stored before.")
    ] = False,
    logs: Annotated[bool, typer.Option(help="Show what the services log.")] = True,
) -> None:
    """Start everything, and keep it running until Ctrl-C."""
    ports = Ports(
        gateway=port,
        orders=orders_port,
        inventory=inventory_port,
        accounting=accounting_port,
        postgres=postgres_port,
        emulator=emulator_port,
    )
    if detach:
        _detach(ports, fresh=fresh)
    else:
        asyncio.run(_run(ports, fresh=fresh, logs=logs))


@app.command()
def status() -> None:
    """Show what runs where. Exit status 1: nothing does."""
    folder = Folder()
    state = folder.read_state()
    if state is None or not folder.is_held:
        raise StackError("Nothing runs here: `orderly up` starts it.")
    if not state.ready:
        console.print("Starting, or leaving.")
    console.print(what_runs_where(folder, state.ports))
    signer = tokens.Signer(tokens.load_key(folder.key), state.ports.url)
    show_console(state.ports, signer.token())


@app.command()
def down() -> None:
    """End everything."""
    folder = Folder()
    state = folder.read_state()
    if state is None:
        raise StackError("Nothing has run here yet.")
    if folder.is_held:
        os.kill(state.pid, signal.SIGTERM)
        _wait_until_let_go(folder)
    with folder.held():
        asyncio.run(stop_leftovers(folder, say))
    console.print("Orderly is down. Its data is kept.")


@app.command()
def token(
    *,
    scope: Annotated[
        list[str] | None, typer.Option(help="May be repeated; without it, all.")
    ] = None,
    customer: Annotated[
        str | None, typer.Option(help="Whose orders alone it is good for.")
    ] = None,
    ttl: Annotated[int, typer.Option(help="Seconds it lives.")] = tokens.TTL_S,
) -> None:
    """Print a token for this machine's stack, and nothing else."""
    folder = Folder()
    folder.open()
    state = folder.read_state()
    ports = state.ports if state else Ports()
    signer = tokens.Signer(tokens.load_key(folder.key), ports.url)
    typer.echo(signer.token(scope or tokens.SCOPES, customer_id=customer, ttl_s=ttl))


@app.command(name="provision")
def provision_() -> None:
    """Create the topics and queues that are missing, where AWS_ENDPOINT_URL says."""
    from orderly import remote  # noqa: PLC0415

    asyncio.run(remote.provision_topology())
    console.print("Topics and queues are there.")


@app.command(name="republish")
def republish_(
    *,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Stay, and do it whenever queues are made anew."),
    ] = False,
) -> None:
    """Publish again what the queues lost: what event logs have and inboxes have not.

    Reads AWS_*, and ORDERS_DATABASE_URL and its like for the other two services.
    """
    from orderly import remote  # noqa: PLC0415

    if keep:
        asyncio.run(remote.keep_queues())
    published = asyncio.run(remote.republish_lost())
    console.print(f"{some(published, 'event')} published again.")


@app.command()
def keys() -> None:
    """Put the public key of this machine's tokens where the gateway serves it."""
    folder = Folder()
    folder.open()
    signer = tokens.Signer(tokens.load_key(folder.key), Ports().url)
    folder.publish("jwks.json", signer.key_set())


@app.command(name="demo")
def demo_() -> None:
    """Put demo products and stock there, unless that was done before."""
    from orderly import demo  # noqa: PLC0415

    folder = Folder()
    if not folder.demo_done.exists():
        asyncio.run(demo.stock_up(*here(folder, ["inventory.write"])))
        folder.demo_done.touch()
    console.print("Demo products are in stock.")


app.command(name="audit")(audit.audit_services)


@app.command(name="top")
def top_(
    *,
    url: Url = None,
    token: Annotated[
        str | None,
        typer.Option(help="With `ops` and `orders.read`; without it, one made here."),
    ] = None,
) -> None:
    """Show how orders flow, every second until Ctrl-C; where it is piped, once."""
    from orderly import operations, top  # noqa: PLC0415

    def connect() -> AbstractAsyncContextManager[operations.Operations]:
        target = target_of(url, token, scopes=("ops", "orders.read"))
        return operations.connect(*target, local=url is None)

    with suppress(KeyboardInterrupt):
        asyncio.run(top.top(connect))


app.add_typer(dead_letters.app, name="dead-letters")


async def _run(ports: Ports, *, fresh: bool, logs: bool) -> None:
    from orderly import operations, top  # noqa: PLC0415
    from orderly.stack.stack import Stack  # noqa: PLC0415

    folder = Folder()
    folder.open()
    stack = Stack(folder, ports, say=say, fresh=fresh)

    def connect() -> AbstractAsyncContextManager[operations.Operations]:
        token = stack.signer.token(("ops", "orders.read"))
        return operations.connect(ports.url, token, local=True)

    _leave_when_told(stack)
    try:
        async with _following(folder if logs else None), stack:
            welcome(folder, ports, stack.signer.token())
            async with top.summary(connect):
                await asyncio.Event().wait()
    except asyncio.CancelledError:
        say("stack", "everything has ended; the data is kept")


def _leave_when_told(stack: "Stack") -> None:
    """The first signal ends everything in good order, the next one makes haste."""
    loop = asyncio.get_running_loop()
    running = asyncio.current_task()
    told = False

    def leave() -> None:
        nonlocal told
        if told or running is None:
            stack.hurry()
        else:
            told = True
            say("stack", "leaving")
            running.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, leave)


@asynccontextmanager
async def _following(folder: Folder | None) -> AsyncIterator[None]:
    """Show what the services log meanwhile."""
    followers = [
        asyncio.create_task(Follower(name, folder.log(name)).run())
        for name in NAMES
        if folder
    ]
    try:
        yield
    finally:
        await asyncio.sleep(2 * LOOK_EVERY_S)  # their last words
        for follower in followers:
            follower.cancel()


def _detach(ports: Ports, *, fresh: bool) -> None:
    folder = Folder()
    folder.open()
    options = [f"--{option}={port}" for option, port in ports.options()]
    if fresh:
        options.append("--fresh")
    with folder.log("stack").open("w") as log:
        supervisor = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "orderly", "up", "--no-logs", *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        state = _wait_until_ready(folder, supervisor)
    except KeyboardInterrupt:
        supervisor.terminate()
        raise
    signer = tokens.Signer(tokens.load_key(folder.key), ports.url)
    welcome(folder, state.ports, signer.token())


def _wait_until_ready(folder: Folder, supervisor: subprocess.Popen[bytes]) -> State:
    while supervisor.poll() is None:
        state = folder.read_state()
        if state and state.ready and state.pid == supervisor.pid:
            return state
        time.sleep(LOOK_EVERY_S)
    raise StackError(folder.log("stack").read_text().strip())


def _wait_until_let_go(folder: Folder) -> None:
    deadline = time.monotonic() + DOWN_WITHIN_S
    while folder.is_held:
        if time.monotonic() > deadline:
            raise StackError(
                f"It has not ended in {DOWN_WITHIN_S:.0f} s: see {folder.logs}."
            )
        time.sleep(LOOK_EVERY_S)
