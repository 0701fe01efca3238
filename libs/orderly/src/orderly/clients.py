"""Tokens for programs that run by themselves: by OAuth 2's client credentials."""

import os
from dataclasses import dataclass
from http import HTTPStatus

import httpx

from orderly.errors import StackError

SCOPE = "orderly/ops"
ANSWERS_WITHIN_S = 10


@dataclass(frozen=True)
class Client:
    """Who may ask for tokens, and where."""

    token_url: str
    id: str
    secret: str

    async def token(self) -> str:
        asked = {"grant_type": "client_credentials", "scope": SCOPE}
        try:
            async with httpx.AsyncClient(timeout=ANSWERS_WITHIN_S) as http:
                answer = await http.post(
                    self.token_url, data=asked, auth=(self.id, self.secret)
                )
        except httpx.TransportError as error:
            raise StackError(
                f"{self.token_url} gives no token: it does not answer ({error!r})."
            ) from error
        if answer.status_code != HTTPStatus.OK:
            raise StackError(
                f"{self.token_url} gives no token: it answered {answer.status_code}."
                " Are ORDERLY_CLIENT_ID and ORDERLY_CLIENT_SECRET right?"
            )
        return str(answer.json()["access_token"])


def from_environment() -> Client | None:
    """Who we are where nobody is asked; none: somebody gives a token, or makes one."""
    url = os.environ.get("ORDERLY_TOKEN_URL")
    if not url:
        return None
    try:
        return Client(
            token_url=url,
            id=os.environ["ORDERLY_CLIENT_ID"],
            secret=os.environ["ORDERLY_CLIENT_SECRET"],
        )
    except KeyError as missing:
        raise StackError(
            f"{missing.args[0]} is not set, and ORDERLY_TOKEN_URL is."
        ) from None
