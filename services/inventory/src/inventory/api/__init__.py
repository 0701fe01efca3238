"""Inventory's routes: HTTP into commands, and back. Here is what they share."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis.auth import Caller, needs, needs_staff
from chassis.database import Database
from chassis.pages import Page, Window
from chassis.web import respond
from contracts.inventory import Sku

V = TypeVar("V", bound=BaseModel)

PREFIX = "/v1/inventory"
MAX_UNITS = 1_000_000
MAX_COST = 1_000_000_000  # with the units of a receipt, the books can hold it

Reader = Annotated[Caller, needs("inventory.read")]
# Orders' reservations and the movements they caused are not told to other customers.
StaffReader = Annotated[Caller, needs_staff("inventory.read")]
Writer = Annotated[Caller, needs_staff("inventory.write")]

Code = Sku
Cost = Annotated[int, Field(ge=0, le=MAX_COST, description="in minor units")]


def example(**fields: Any) -> ConfigDict:
    return ConfigDict(from_attributes=True, json_schema_extra={"examples": [fields]})


def database(request: Request) -> Database:
    found: Database = request.app.state.database
    return found


def page(
    request: Request,
    window: Window,
    views: Iterable[V],
    key: Callable[[V], tuple[Any, ...]],
) -> Response:
    """The views that fit, and where the next page starts."""
    items, next_cursor = window.page(list(views), key)
    return respond(request, Page(items=items, next_cursor=next_cursor))
