"""The `orderly` command. Slow imports wait for the command that needs them."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from orderly import tokens
from orderly.console import LOOK_EVERY_S, Follower, console, say
from orderly.errors import StackError
from orderly.stack.folder import Folder, State
from orderly.stack.ports import Ports
from orderly.stack.services import NAMES
from orderly.welcome import show_console, welcome, what_runs_where
from orderly.words import some

if TYPE_CHECKING:
    from orderly.stack.stack import Stack

DOWN_WITHIN_S = 90.0
DISAGREE, COULD_NOT_ASK = 1, 2

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
    from orderly.stack.stack import stop_leftovers  # noqa: PLC0415

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
        asyncio.run(demo.stock_up(*_here(folder, ["inventory.write"])))
        folder.demo_done.touch()
    console.print("Demo products are in stock.")


Url = Annotated[
    str | None, typer.Option(help="Where the API is; without it, this machine's stack.")
]
Token = Annotated[
    str | None, typer.Option(help="With the scope `ops`; without it, one made here.")
]


@app.command(name="audit")
def audit_(
    *,
    url: Url = None,
    token: Token = None,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds that orders under way may take.")
    ] = 30,
) -> None:
    """Prove that the three services agree.

    Exit status 0: they do; 1: they do not; 2: they could not be asked.

    Where nobody is there to give a token, it gets one by itself, from where
    ORDERLY_TOKEN_URL says, for ORDERLY_CLIENT_ID and ORDERLY_CLIENT_SECRET.
    """
    from orderly import audit, findings, operations  # noqa: PLC0415

    async def look() -> audit.Report:
        target = await _audited(url, token)
        async with operations.connect(*target, local=url is None) as asked:
            with findings.progress() as progress:
                return await audit.audit(asked, patience_s=patience, progress=progress)

    try:
        found = asyncio.run(look())
    except StackError as error:
        console.print(str(error), style="red", markup=False)
        raise typer.Exit(COULD_NOT_ASK) from error
    console.print(findings.report(found))
    if not found.clean:
        raise typer.Exit(DISAGREE)


@app.command(name="top")
def top_(*, url: Url = None, token: Token = None) -> None:
    """Show how orders flow, every second until Ctrl-C; where it is piped, once."""
    from orderly import operations, top  # noqa: PLC0415

    def connect() -> AbstractAsyncContextManager[operations.Operations]:
        target = _target(url, token, scopes=("ops", "orders.read"))
        return operations.connect(*target, local=url is None)

    with suppress(KeyboardInterrupt):
        asyncio.run(top.top(connect))


async def _audited(url: str | None, token: str | None) -> tuple[str, str]:
    from orderly import clients  # noqa: PLC0415

    client = clients.from_environment()
    if client and token is None:
        return url or os.environ.get("ORDERLY_URL", Ports().url), await client.token()
    return _target(url, token)


dead_letters = typer.Typer(
    help="Show what could not be handled, or have it handled again.",
    invoke_without_command=True,
)
app.add_typer(dead_letters, name="dead-letters")


@dead_letters.callback()
def list_dead_letters(
    context: typer.Context,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="For programs: all that is known of each.")
    ] = False,
    trace: Annotated[
        bool, typer.Option("--trace", help="Show where each failed.")
    ] = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Show what could not be handled, of all three services."""
    if context.invoked_subcommand is None:
        asyncio.run(_show_dead_letters(url, token, as_json=as_json, trace=trace))


async def _show_dead_letters(
    url: str | None, token: str | None, *, as_json: bool, trace: bool
) -> None:
    from orderly import letters, operations  # noqa: PLC0415

    async with operations.connect(*_target(url, token), local=url is None) as asked:
        seen = await operations.find_dead_letters(asked)
    if as_json:
        typer.echo(letters.as_json(seen))
    else:
        console.print(letters.table(seen, trace=trace))


@dead_letters.command(name="redrive")
def redrive_dead_letters(
    ids: Annotated[
        list[str] | None, typer.Argument(help="Which, as they are listed.")
    ] = None,
    *,
    all_: Annotated[
        bool, typer.Option("--all", help="All that there are now.")
    ] = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Put dead letters back on their queues. Exit status 1: some were not found."""
    from orderly import operations  # noqa: PLC0415

    if bool(ids) == all_:
        raise StackError("Say which: the ids of dead letters, or --all.")

    async def redrive() -> tuple[int, set[str]]:
        async with operations.connect(*_target(url, token), local=url is None) as asked:
            return await operations.redrive(asked, ids or [])

    _tell_redriven(*asyncio.run(redrive()))


def _tell_redriven(count: int, nowhere: set[str]) -> None:
    if count:
        console.print(
            f"Redriven: {some(count, 'dead letter')}."
            " What fails again comes back: `orderly dead-letters` shows it."
        )
    elif not nowhere:
        console.print("There are no dead letters.", style="green")
    if nowhere:
        raise StackError(
            f"Not found: {', '.join(sorted(nowhere))}. They were redriven before, or"
            " never were there: `orderly dead-letters` lists those that are."
        )


def _target(
    url: str | None, token: str | None, *, scopes: Sequence[str] = ("ops",)
) -> tuple[str, str]:
    """Where to ask, and with what token: this machine's, unless said otherwise."""
    if url is not None and token is None:
        raise StackError(
            "Say --token: what is made here is good for this machine only."
        )
    here, made = _here(Folder(), scopes)
    return url or here, token or made


def _here(folder: Folder, scopes: Sequence[str]) -> tuple[str, str]:
    """Where this machine's stack is, and a token for it.

    From within a container it is elsewhere than its tokens say: ORDERLY_URL.
    """
    folder.open()
    state = folder.read_state()
    issuer = (state.ports if state else Ports()).url
    token = tokens.Signer(tokens.load_key(folder.key), issuer).token(scopes)
    return os.environ.get("ORDERLY_URL", issuer), token


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
