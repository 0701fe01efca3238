"""A log line for a request: what was asked, how it ended, how long it took.

Never the query or the body: they say who a customer is.
"""

import time
from collections.abc import Mapping
from http import HTTPStatus

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.tracing import QUIET

log = structlog.get_logger(__name__)

# Where a refusal leaves its stable code, for the line to say.
CODE = "orderly.code"
# Turned away in a crowd: they are counted, and each line would make the crowd worse.
UNLOGGED = frozenset({"too_many_waiting", "leaving"})


class AccessLog:
    """ASGI: logs all requests, or those that fail here, as the app's state says."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in QUIET:
            await self._app(scope, receive, send)
            return
        which = getattr(scope["app"].state, "access_log", "none")
        if which == "none":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            code = scope.get(CODE)
            failed = status >= HTTPStatus.INTERNAL_SERVER_ERROR and code not in UNLOGGED
            if which == "all" or failed:
                _log(scope, status, code, time.perf_counter() - began)


def ids_in_path(scope: Scope) -> Mapping[str, str]:
    """What a request is about, by the names that routes and events have for it."""
    named: Mapping[str, object] = scope.get("path_params", {})
    return {name: str(id_) for name, id_ in named.items() if name.endswith("_id")}


def _log(scope: Scope, status: int, code: str | None, took_s: float) -> None:
    outcome = {"outcome": code} if code else {}
    failed = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    (log.warning if failed else log.info)(
        "Request answered" if status else "Request left without an answer",
        method=scope["method"],
        path=scope["path"],
        status=int(status),
        ms=round(took_s * 1000, 1),
        **ids_in_path(scope),
        **outcome,
    )
