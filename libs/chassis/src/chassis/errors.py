"""A "no" to a caller: `Refused` and its kinds, and how each becomes problem+json.

The format is RFC 9457's.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from chassis.access import CODE, UNLOGGED, ids_in_path

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Fault:
    """One thing wrong with the input, and where (a JSON pointer, or `#name`)."""

    pointer: str
    detail: str


class Refused(Exception):
    """What was asked for is not done, for a reason the caller can act on."""

    # Of a kind of refusal; only what the framework refuses has them of its own.
    status: HTTPStatus = HTTPStatus.BAD_REQUEST
    code: str = "refused"

    def __init__(
        self,
        detail: str,
        *,
        faults: Iterable[Fault] = (),
        headers: Mapping[str, str] | None = None,
        **figures: Any,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = dict(headers or {})
        self.figures = figures

    @override
    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class Malformed(Refused):
    """The request cannot be read."""

    code = "malformed"


class Unauthenticated(Refused):
    """Nobody we know is asking."""

    status = HTTPStatus.UNAUTHORIZED
    code = "unauthenticated"


class Forbidden(Refused):
    """The caller is known, and may not."""

    status = HTTPStatus.FORBIDDEN
    code = "forbidden"


class NotFound(Refused):
    """There is no such thing, or it is somebody else's."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class Conflict(Refused):
    """The state of the thing does not allow it."""

    status = HTTPStatus.CONFLICT
    code = "conflict"


class TooLarge(Refused):
    """The body is larger than this route takes."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "too_large"


class UnsupportedMediaType(Refused):
    """The body is not in a format this route reads."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_media_type"


class Unprocessable(Refused):
    """The request can be read, and says something that cannot be."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "invalid"


class Unavailable(Refused):
    """Not now: asking again later helps."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "unavailable"

    def __init__(self, detail: str, *, retry_after_s: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_s)})


MEDIA_TYPE = "application/problem+json"
MOST_FAULTS = 100  # nobody reads more, and a body can have a hundred thousand


def problem(error: Refused, *, instance: str) -> dict[str, Any]:
    """The RFC 9457 body; other documents may carry it too."""
    body: dict[str, Any] = {
        "type": f"urn:orderly:problem:{error.code}",
        "title": error.code.replace("_", " ").capitalize(),
        "status": int(error.status),
        "detail": error.detail,
        "instance": instance,
        "code": error.code,
    }
    if error.faults:
        body["errors"] = [
            {"pointer": fault.pointer, "detail": fault.detail}
            for fault in error.faults[:MOST_FAULTS]
        ]
    if len(error.faults) > MOST_FAULTS:
        body["more_errors"] = len(error.faults) - MOST_FAULTS
    return body | error.figures


def faults_of(errors: Iterable[ErrorDetails], *, prefix: str = "") -> list[Fault]:
    """Pydantic's findings as pointers, without echoing what was sent."""
    return [
        Fault(
            prefix + "".join(f"/{_escaped(part)}" for part in error["loc"]),
            error["msg"],
        )
        for error in errors
    ]


def _escaped(part: int | str) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


def render(request: Request, error: Refused) -> Response:
    request.scope[CODE] = error.code
    return Response(
        json.dumps(problem(error, instance=request.url.path), default=str),
        status_code=error.status,
        headers=error.headers,
        media_type=MEDIA_TYPE,
    )


class _FromStatus(Refused):
    """What the framework itself refuses: unknown paths, methods."""

    def __init__(self, error: HTTPException) -> None:
        super().__init__(str(error.detail), headers=error.headers)
        self.status = HTTPStatus(error.status_code)
        self.code = self.status.phrase.lower().replace(" ", "_")


class _Broken(Refused):
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    code = "internal_error"


# What is not UTF-8 reaches us as this: different addresses would mean the same thing.
_REPLACED = "\ufffd"
_NOT_TEXT = Malformed("The address is not text: UTF-8 without NUL.")
BROKEN = _Broken("Something went wrong here. Asking again with the same key is safe.")


async def refused(request: Request, error: Exception) -> Response:
    no = cast("Refused", error)
    # Its kind alone: what it says may quote what was sent.
    cause = {"cause": type(error.__cause__).__name__} if error.__cause__ else {}
    # In a crowd, a line for each who is turned away would make it worse.
    tell = log.debug if no.code in UNLOGGED else log.info
    ids = ids_in_path(request.scope)
    tell("Request refused", path=request.url.path, code=no.code, **ids, **cause)
    return render(request, no)


async def _invalid_parameters(request: Request, error: Exception) -> Response:
    found = cast("RequestValidationError", error).errors()
    faults = [Fault(f"#{item['loc'][1]}", item["msg"]) for item in found]
    return render(
        request,
        Unprocessable("A parameter of the request is not valid.", faults=faults),
    )


async def _framework(request: Request, error: Exception) -> Response:
    return render(request, _FromStatus(cast("HTTPException", error)))


class Guarded:
    """ASGI: what nobody foresaw is a problem too, logged once and with its trace."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answered = False

        async def answer(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            if _is_not_text(scope):
                await render(Request(scope), _NOT_TEXT)(scope, receive, send)
            else:
                await self._app(scope, receive, answer)
        except Exception:
            log.exception("Request failed", path=scope["path"], **ids_in_path(scope))
            if answered:
                raise  # half an answer is out: only a broken connection tells the truth
            await render(Request(scope), BROKEN)(scope, receive, send)


def _is_not_text(scope: Scope) -> bool:
    path = scope["path"]
    return b"%00" in scope["query_string"] or "\0" in path or _REPLACED in path


def render_problems(app: FastAPI) -> None:
    """Every answer that is not a success is a problem, whoever noticed it."""
    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(RequestValidationError, _invalid_parameters)
    app.add_exception_handler(HTTPException, _framework)
    app.add_middleware(Guarded)
