"""Lists in pages: a cursor says where the last one ended, so new rows shift nothing."""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar, get_args

from fastapi import Depends, Query
from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
)
from pydantic.config import JsonDict
from pydantic_core import from_json
from sqlalchemy import BigInteger, ColumnElement, Select, literal, tuple_

from chassis.errors import Malformed

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
MAX_INTEGER = 2**31 - 1
MAX_BIG_INTEGER = 2**63 - 1

T = TypeVar("T")
Q = TypeVar("Q", bound=tuple[Any, ...])


class NotACursor(Malformed):
    """Cursors come from a page before; whoever makes them up gets nowhere."""

    code = "cursor_malformed"

    def __init__(self) -> None:
        super().__init__("The cursor is not one of ours: leave it out to start over.")


def _show_items(schema: JsonDict, page: type["Page[Any]"]) -> None:
    """A page's example is of what its items are shown with."""
    for item in get_args(page.model_fields["items"].annotation):
        if isinstance(item, type) and issubclass(item, BaseModel):
            examples = item.model_json_schema().get("examples", [])
            schema["examples"] = [{"items": examples, "next_cursor": None}]


class Page(BaseModel, Generic[T]):
    model_config = ConfigDict(json_schema_extra=_show_items)

    items: list[T]
    next_cursor: str | None


@dataclass(frozen=True)
class Window:
    """Which part of a list is asked for: at most `limit` rows that follow `after`."""

    limit: int
    after: tuple[Any, ...] | None

    def of(
        self, query: Select[Q], *key: ColumnElement[Any], newest_first: bool = False
    ) -> Select[Q]:
        """The page's rows in the order of their key, and a spare one for `page`."""
        order = [column.desc() if newest_first else column for column in key]
        query = query.order_by(*order).limit(self.limit + 1)
        if self.after is None:
            return query
        ended = tuple_(
            *(
                literal(value, column.type)
                for value, column in zip(_typed(self.after, key), key, strict=True)
            )
        )
        return query.where(
            tuple_(*key) < ended if newest_first else tuple_(*key) > ended
        )

    def page(
        self, rows: Sequence[T], key: Callable[[T], tuple[Any, ...]]
    ) -> tuple[list[T], str | None]:
        """Cut `limit + 1` rows to a page; the spare one tells that there are more."""
        items = list(rows[: self.limit])
        more = len(rows) > self.limit
        return items, _encode(key(items[-1])) if more else None


def _encode(key: tuple[Any, ...]) -> str:
    return (
        base64.urlsafe_b64encode(json.dumps(key, default=str).encode())
        .decode()
        .rstrip("=")
    )


def _decode(cursor: str) -> tuple[Any, ...]:
    try:
        key = from_json(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        key = None
    if not isinstance(key, list) or not all(map(_fits_the_database, key)):
        raise NotACursor
    return tuple(key)


def _fits_the_database(value: object) -> bool:
    return isinstance(value, int) or (isinstance(value, str) and "\x00" not in value)


def _typed(after: Sequence[Any], key: Sequence[ColumnElement[Any]]) -> list[Any]:
    """What JSON made text again, as what its columns hold."""
    try:
        return [
            _adapter(column).validate_python(value)
            for value, column in zip(after, key, strict=True)
        ]
    except ValueError:  # pydantic's is one, and so is zip's
        raise NotACursor from None


def _adapter(column: ColumnElement[Any]) -> TypeAdapter[Any]:
    python_type = column.type.python_type
    if python_type is datetime:
        return TypeAdapter(AwareDatetime)
    if python_type is int:
        big = isinstance(column.type, BigInteger)
        most = MAX_BIG_INTEGER if big else MAX_INTEGER
        return TypeAdapter(Annotated[int, Field(ge=-most, le=most)])
    return TypeAdapter(python_type)


def _digits(value: Any) -> Any:
    """Other ways to write a number that pydantic would read: 1.0, 1_0."""
    if isinstance(value, str) and not (value.isascii() and value.isdecimal()):
        raise ValueError("a whole number, in digits")
    return value


# What looks at the text comes last: bounds that follow it are none that a schema knows.
Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT), BeforeValidator(_digits)]


# Async: FastAPI takes dependencies that are not to a thread and back.
async def _window(
    limit: Limit = DEFAULT_LIMIT,
    cursor: Annotated[str | None, Query(max_length=1024)] = None,
) -> Window:
    return Window(limit, _decode(cursor) if cursor else None)


Paged = Annotated[Window, Depends(_window)]
