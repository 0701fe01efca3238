"""The HTTP side of a service: one FastAPI app with problems, documents and tracing."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.middleware.cors import CORSMiddleware
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from chassis import documentation, errors, ndjson, problems, tracing
from chassis.access import AccessLog
from chassis.bodies import JsonBody
from chassis.database import Database
from chassis.door import EXPOSED
from chassis.errors import Refused
from chassis.express import Express
from chassis.headers import Careful
from chassis.idempotency import KEY_PARAMETER, required_key
from chassis.ndjson import NdjsonRows
from chassis.pages import Page, Window
from chassis.routing import HttpRouter

T = TypeVar("T")
V = TypeVar("V", bound=BaseModel)

_SCHEMAS = "#/components/schemas/{model}"
_PROBLEM: Mapping[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string", "description": "stable, for programs"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {
                    "pointer": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
        "more_errors": {
            "type": "integer",
            "description": "how many there are beyond those listed",
        },
    },
}


class _App(FastAPI):
    @override
    def openapi(self) -> dict[str, Any]:
        return _openapi(self)


def create_app(
    service: str,
    *,
    description: str,
    routers: Sequence[HttpRouter],
    cors_origins: Sequence[str] = (),
    express: Collection[Callable[..., Any]] = (),
) -> FastAPI:
    """The app; endpoints that are `express` are served past the framework."""
    app = _App(
        title=f"Orderly {service}",
        description=description,
        version="1",
        openapi_url=f"/v1/{service}/openapi.json",
        docs_url=None,
        redoc_url=None,
        routes=[route for router in routers for route in router.routes],
        redirect_slashes=False,
        # Ours tell of batches and events too, and never what somebody searched for.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.add_middleware(Express, routes=list(_served_by(app, express)))
    documentation.add_to(app, service)
    errors.render_problems(app)
    app.add_exception_handler(HTTPStatus.METHOD_NOT_ALLOWED, _not_allowed)
    if cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(cors_origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=EXPOSED,
        )
    app.add_middleware(Careful)
    app.add_middleware(_Heads)
    app.add_middleware(AccessLog)
    app.add_middleware(tracing.Traced)
    return app


class _Heads:
    """ASGI: HEAD is answered as GET would be, without the body; no route need know."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        answered = asyncio.Event()

        async def leave_when_answered() -> Message:
            await answered.wait()  # or a stream would go on for nobody
            return {"type": "http.disconnect"}

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body"})
                answered.set()

        await self._app({**scope, "method": "GET"}, leave_when_answered, answer)


def respond(
    request: Request,
    view: BaseModel,
    *,
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The view as JSON with its ETag; 304 when the caller has it already."""
    return respond_json(request, view.model_dump_json().encode(), status, headers)


def respond_json(
    request: Request,
    body: bytes,
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """As `respond`, where the body is written already."""
    tagged = {"ETag": etag(body), **(headers or {})}
    if status == HTTPStatus.OK and is_known(request, tagged["ETag"]):
        return Response(status_code=304, headers=tagged)
    return Response(body, status, tagged, media_type="application/json")


def etag(content: bytes) -> str:
    return f'"{sha256(content).hexdigest()[:32]}"'


def is_known(request: Request, tag: str) -> bool:
    """Whether the caller asks only for something else than what has this ETag."""
    known = {
        item.strip().removeprefix("W/")
        for item in request.headers.get("if-none-match", "").split(",")
    }
    return request.method == "GET" and bool(known & {tag, "*"})


def respond_page(
    request: Request,
    window: Window,
    rows: Sequence[T],
    *,
    view: Callable[[T], V],
    key: Callable[[T], tuple[Any, ...]],
) -> Response:
    """The rows that fit, as they are shown, and where the next page starts."""
    items, next_cursor = window.page(rows, key)
    page: Page[V] = Page(items=[view(row) for row in items], next_cursor=next_cursor)
    return respond(request, page)


def database_of(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


def reader_of(request: Request) -> Database:
    """Where to read what may be a moment old: lists and reports.

    What was just made is not there yet; without a replica it is the database itself.
    """
    reader: Database = request.app.state.reader
    return reader


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document, with the bodies that `bodies.reads` reads, and problems."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
    )
    routes = list(api_routes(app))
    models = {body.model for route in routes for body in _bodies(route.dependant)}
    ordered = sorted(models, key=lambda model: model.__name__)
    references, definitions = models_json_schema(
        [(model, "validation") for model in ordered], ref_template=_SCHEMAS
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    _add_schemas(schemas, {"Problem": dict(_PROBLEM), **definitions.get("$defs", {})})
    for route in routes:
        for method in route.methods or ():
            operation = document["paths"][route.path_format][method.lower()]
            for body in _bodies(route.dependant):
                schema = references[body.model, "validation"]
                operation["requestBody"] = {
                    "required": True,
                    "content": {_media_type(body): {"schema": schema}},
                }
            if _needs_key(route.dependant):
                operation.setdefault("parameters", []).append(dict(KEY_PARAMETER))
            _describe_problems(route, operation)
    app.openapi_schema = document
    return document


async def _not_allowed(request: Request, _: Exception) -> Response:
    """With all that is allowed: the framework names one route's methods only."""
    path = request.url.path
    methods = {
        method
        for route in api_routes(request.app)
        if compile_path(route.path or "")[0].match(path)
        for method in route.methods or ()
    }
    return errors.render(request, _NotAllowed(methods))


class _NotAllowed(Refused):
    status = HTTPStatus.METHOD_NOT_ALLOWED
    code = "method_not_allowed"

    def __init__(self, methods: Iterable[str]) -> None:
        allow = ", ".join(sorted(methods))
        super().__init__(f"Allowed here: {allow}.", headers={"Allow": allow})


def _add_schemas(schemas: dict[str, Any], ours: Mapping[str, Any]) -> None:
    for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's own problems
        schemas.pop(unused, None)
    for name, schema in ours.items():
        if schemas.setdefault(name, schema) != schema:
            raise ValueError(f"two different models are called {name}: rename one")


def _describe_problems(route: RouteContext, operation: dict[str, Any]) -> None:
    """Those that every route of its kind has; its own ones it has named itself."""
    responses = operation.setdefault("responses", {})
    if "application/json" in responses.get("422", {}).get("content", ()):
        del responses["422"]  # FastAPI's own form of it, which is never sent
    common = problems.common(operation, needs_key=_needs_key(route.dependant))
    responses["default"] = {
        "description": "A problem (RFC 9457)",
        "content": problems.shown(route.path_format or "", common),
    }


def api_routes(app: FastAPI) -> Iterator[RouteContext]:
    """The routes of the contract: what the app's routers hold, and OpenAPI shows."""
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute) and route.include_in_schema:
            yield route


def _served_by(
    app: FastAPI, endpoints: Collection[Callable[..., Any]]
) -> Iterator[RouteContext]:
    for route in api_routes(app):
        if route.dependant.call in endpoints:
            yield route


def _bodies(dependant: Dependant) -> Iterator[JsonBody[Any] | NdjsonRows]:
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, JsonBody | NdjsonRows):
            yield dependency.call
        yield from _bodies(dependency)


def _media_type(body: JsonBody[Any] | NdjsonRows) -> str:
    return ndjson.MEDIA_TYPE if isinstance(body, NdjsonRows) else "application/json"


def _needs_key(dependant: Dependant) -> bool:
    return dependant.call is required_key or any(
        map(_needs_key, dependant.dependencies)
    )
