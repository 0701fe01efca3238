"""A short way to the routes that carry the load, past what the framework does for all.

It is the same endpoint with the same dependencies, found here by its path and method
alone; OpenAPI shows it as any other, and a test holds both ways to the same answers.
What the framework would do that is not done here is refused when the service starts.
"""

import inspect
from collections import Counter
from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
)
from typing import Any, TypeAlias, get_type_hints
from uuid import UUID

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import RouteContext
from fastapi.security import SecurityScopes
from starlette.convertors import UUIDConvertor
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

Resolve: TypeAlias = Callable[[Request], Awaitable[Any]]
_Endpoint: TypeAlias = tuple[RouteContext, Resolve]
# By what a path's pattern makes already what the framework would make of a part of it,
# and which no fixed word can be.
_CONVERTED: Mapping[type, type] = {UUIDConvertor: UUID}


class Express:
    """ASGI: serves some routes itself, and leaves everything else to the app."""

    def __init__(self, app: ASGIApp, *, routes: Iterable[RouteContext]) -> None:
        self._app = app
        self._by_path: dict[tuple[str, str], _Endpoint] = {}
        self._by_pattern: list[_Endpoint] = []
        for route in routes:
            served = route, _served(route)
            if route.param_convertors:
                self._by_pattern.append(served)
                continue
            for method in route.methods or ():
                self._by_path[method, route.path_format or ""] = served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._endpoint(scope)
        if found is None:
            await self._app(scope, receive, send)
            return
        scope["route"], endpoint = found  # by which spans are named
        request = Request(scope, receive, send)
        try:
            response: Response = await endpoint(request)
        except Exception as error:
            handle = _handler(scope, error)
            if handle is None:
                raise
            response = await handle(request, error)
        await response(scope, receive, send)

    def _endpoint(self, scope: Scope) -> _Endpoint | None:
        # A query is for the framework, which knows whether there may be one.
        if scope["type"] != "http" or scope["query_string"]:
            return None
        found = self._by_path.get((scope["method"], scope["path"]))
        return found or self._matching(scope)

    def _matching(self, scope: Scope) -> _Endpoint | None:
        for served in self._by_pattern:
            match, found = served[0].matches(scope)
            if match is Match.FULL:
                scope.update(found)
                return served
        return None


def _handler(scope: Scope, error: Exception) -> Callable[..., Awaitable[Any]] | None:
    """What the app has for it, as the framework would find it."""
    handlers = scope["app"].exception_handlers
    of_status = error.status_code if isinstance(error, HTTPException) else None
    known = (handlers.get(one) for one in (of_status, *type(error).__mro__))
    return next(filter(None, known), None)


def _served(route: RouteContext) -> Resolve:
    endpoint: Dependant = route.dependant
    converted = {
        name: _CONVERTED.get(type(by)) for name, by in route.param_convertors.items()
    }
    if None in converted.values():
        raise ValueError(f"{endpoint.call} has parameters: it cannot be served here")
    resolve = _resolver(endpoint, converted)
    called = Counter(part.call for part in _all_of(endpoint))
    for call, times in called.items():
        if times > 1:
            raise ValueError(f"{call} is needed twice: it would be called twice here")
    if not _is_response(get_type_hints(endpoint.call).get("return")):
        raise ValueError(f"{endpoint.call} has to return a Response to be served here")
    return resolve


def _all_of(needed: Dependant) -> Iterator[Dependant]:
    yield needed
    for part in needed.dependencies:
        yield from _all_of(part)


def _is_response(hint: object) -> bool:
    return isinstance(hint, type) and issubclass(hint, Response)


def _resolver(needed: Dependant, converted: Mapping[str, type | None]) -> Resolve:
    """The call with what it needs: of parameters, the request and parts of its path."""
    call = needed.call
    parts = {part.alias: part.field_info.annotation for part in needed.path_params}
    checked = any(part.field_info.metadata for part in needed.path_params)
    as_converted = parts.items() <= converted.items() and not checked
    if call is None or not as_converted or _parameters(needed):
        raise ValueError(f"{call} has parameters: it cannot be served here")
    if not (inspect.iscoroutinefunction(call) or _is_async(call)):
        raise ValueError(f"{call} is not awaited: it cannot be served here")
    inner = [(part.name, _resolver(part, converted)) for part in needed.dependencies]
    request_name = needed.request_param_name or needed.http_connection_param_name
    given = _scopes(needed)
    if not (inner or given or parts) and request_name:
        return lambda request: call(**{request_name: request})

    async def resolve(request: Request) -> Any:
        found: dict[str, Any] = dict(given)
        for placed in needed.path_params:
            found[placed.name] = request.path_params[placed.alias]
        for name, part in inner:
            value = await part(request)
            if name:
                found[name] = value
        if request_name:
            found[request_name] = request
        return await call(**found)

    return resolve


def _scopes(needed: Dependant) -> dict[str, SecurityScopes]:
    """Those that the route asks for, the same for each request."""
    if not needed.security_scopes_param_name:
        return {}
    scopes = [*(needed.parent_oauth_scopes or ()), *(needed.own_oauth_scopes or ())]
    return {needed.security_scopes_param_name: SecurityScopes(scopes)}


def _is_async(call: Any) -> bool:
    """An object that is called; what yields is not awaited either."""
    return inspect.iscoroutinefunction(type(call).__call__)


def _parameters(needed: Dependant) -> Collection[Any]:
    return [
        *needed.query_params,
        *needed.header_params,
        *needed.cookie_params,
        *needed.body_params,
        *filter(None, [needed.response_param_name, needed.background_tasks_param_name]),
    ]
