"""`orderly dead-letters`: what could not be handled, and its redriving."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from orderly.cli.target import Token, Url, target_of
from orderly.console import console
from orderly.errors import StackError
from orderly.words import some

if TYPE_CHECKING:
    from orderly.operations import Redriven

app = typer.Typer(
    help="Show what could not be handled, or have it handled again.",
    invoke_without_command=True,
)


@app.callback()
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
    """Show what could not be handled, of all three services. Exit status 1: not all
    of them answered.
    """
    if context.invoked_subcommand is None:
        asyncio.run(_show_dead_letters(url, token, as_json=as_json, trace=trace))


async def _show_dead_letters(
    url: str | None, token: str | None, *, as_json: bool, trace: bool
) -> None:
    from orderly import letters, operations  # noqa: PLC0415

    target = target_of(url, token)
    async with operations.connect(*target, local=url is None) as asked:
        found = await operations.find_dead_letters(asked)
    if as_json:
        typer.echo(letters.as_json(found))
    else:
        console.print(letters.table(found, trace=trace))
    if found.away:
        raise typer.Exit(1)


@app.command(name="redrive")
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
    """Put dead letters back on their queues. Exit status 1: some were not found, or
    not all services answered.
    """
    from orderly import operations  # noqa: PLC0415

    if bool(ids) == all_:
        raise StackError("Say which: the ids of dead letters, or --all.")

    async def redrive() -> operations.Redriven:
        target = target_of(url, token)
        async with operations.connect(*target, local=url is None) as asked:
            return await operations.redrive(asked, ids or [])

    tell_redriven(asyncio.run(redrive()))


def tell_redriven(done: "Redriven") -> None:
    if done.count:
        console.print(
            f"Redriven: {some(done.count, 'dead letter')}."
            " What fails again comes back: `orderly dead-letters` shows it."
        )
    elif not done.nowhere and not done.away:
        console.print("There are no dead letters.", style="green")
    if done.kept:
        console.print(
            f"Among the dead letters they stay, for SQS did not delete them: "
            f"{', '.join(sorted(done.kept))}. To redrive them once more does no harm.",
            style="yellow",
        )
    if done.away:
        raise StackError(
            f"{', '.join(done.away)}: no answer, and nothing is redriven there."
            " Redrive again when it answers."
        )
    if done.nowhere:
        raise StackError(
            f"Not found: {', '.join(sorted(done.nowhere))}. They were redriven before,"
            " or never were there: `orderly dead-letters` lists those that are."
        )
