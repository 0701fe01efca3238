"""Headers: what was sent; and what every answer tells browsers.

That is nothing to run, to frame, to guess or to keep.
"""

from collections.abc import Mapping

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PUBLIC: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
# That the connection must be TLS is said where it is: at the edge.
PRIVATE: Mapping[str, str] = {**PUBLIC, "Cache-Control": "no-store"}

_FIELDS = [(k.lower().encode(), v.encode()) for k, v in PRIVATE.items()]


def sent(request: HTTPConnection, name: bytes) -> list[str]:
    """The values of a header, by its name in lower case; none, or several.

    Asked several times a request: the framework would decode all the others, too.
    """
    fields = request.scope["headers"]
    return [value.decode("latin-1") for field, value in fields if field == name]


class Careful:
    """ASGI: adds what an answer does not say otherwise of itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                _complete(message)
            await send(message)

        await self._app(scope, receive, answer if scope["type"] == "http" else send)


def _complete(message: Message) -> None:
    given = list(message.get("headers", ()))
    said = {name.lower() for name, _ in given}
    message["headers"] = [*given, *(f for f in _FIELDS if f[0] not in said)]
