"""`orderly audit`: the proof that the three services agree."""

import asyncio
import os
from typing import Annotated

import typer

from orderly.cli.target import Token, Url, target_of
from orderly.console import console
from orderly.errors import StackError
from orderly.stack.ports import Ports

DISAGREE, COULD_NOT_ASK = 1, 2


def audit_services(
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


async def _audited(url: str | None, token: str | None) -> tuple[str, str]:
    from orderly import clients  # noqa: PLC0415

    client = clients.from_environment()
    if client and token is None:
        return url or os.environ.get("ORDERLY_URL", Ports().url), await client.token()
    return target_of(url, token)
