"""Which Orderly a command asks, and with what token."""

import os
from collections.abc import Sequence
from typing import Annotated

import typer

from orderly import tokens
from orderly.errors import StackError
from orderly.stack.folder import Folder
from orderly.stack.ports import Ports

Url = Annotated[
    str | None, typer.Option(help="Where the API is; without it, this machine's stack.")
]
Token = Annotated[
    str | None, typer.Option(help="With the scope `ops`; without it, one made here.")
]


def target_of(
    url: str | None, token: str | None, *, scopes: Sequence[str] = ("ops",)
) -> tuple[str, str]:
    """Where to ask, and with what token: this machine's, unless said otherwise."""
    if url is not None and token is None:
        raise StackError(
            "Say --token: what is made here is good for this machine only."
        )
    where, made = here(Folder(), scopes)
    return url or where, token or made


def here(folder: Folder, scopes: Sequence[str]) -> tuple[str, str]:
    """Where this machine's stack is, and a token for it.

    From within a container it is elsewhere than its tokens say: ORDERLY_URL.
    """
    folder.open()
    state = folder.read_state()
    issuer = (state.ports if state else Ports()).url
    token = tokens.Signer(tokens.load_key(folder.key), issuer).token(scopes)
    return os.environ.get("ORDERLY_URL", issuer), token
