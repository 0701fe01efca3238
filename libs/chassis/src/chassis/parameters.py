"""Query parameters that a route does not know are refused rather than ignored.

A slip in a filter's name would otherwise list everything.
"""

import types
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from fastapi import Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Cookie, Header, Path

from chassis.errors import Fault, Unprocessable


async def only_known(request: Request) -> None:
    """A dependency for all routes."""
    if not request.scope["query_string"]:
        return
    known = {
        param.alias: _is_list(param.field_info.annotation)
        for param in get_flat_params(request.scope["route"].dependant)
        if not isinstance(param.field_info, Path | Header | Cookie)
    }
    if faults := list(_faults(request, known)):
        raise Unprocessable("A parameter of the request is not valid.", faults=faults)


def _faults(request: Request, known: dict[str, bool]) -> Iterator[Fault]:
    given = Counter(name for name, _ in request.query_params.multi_items())
    for name, times in given.items():
        if name not in known:
            there = ", ".join(known) or "none"
            yield Fault(f"#{name}", f"Not a parameter of this. There are: {there}.")
        elif times > 1 and not known[name]:
            yield Fault(f"#{name}", "Send it once.")


def _is_list(annotation: Any) -> bool:
    if get_origin(annotation) in (Union, types.UnionType, Annotated):
        return any(map(_is_list, get_args(annotation)))
    return get_origin(annotation) is list
