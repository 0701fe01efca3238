"""Lists in pages: a cursor remembers where the page ended, so that new rows shift nothing."""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel

from chassis.errors import Malformed

DEFAULT_LIMIT = 50
MAX_LIMIT = 200

T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    items: list[T]
    next_cursor: str | None


@dataclass(frozen=True)
class Window:
    """Which part of a list is asked for: at most `limit` rows that follow `after`."""

    limit: int
    after: tuple[Any, ...] | None

    def start(self, *readers: Callable[[str], Any]) -> tuple[Any, ...] | None:
        """`after`, read back part by part; what we never wrote is refused."""
        if self.after is None:
            return None
        try:
            return tuple(
                read(part) for read, part in zip(readers, self.after, strict=True)
            )
        except (ValueError, TypeError, AttributeError):
            raise _not_ours() from None

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
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        key = None
    if not isinstance(key, list):
        raise _not_ours()
    return tuple(key)


def _not_ours() -> Malformed:
    return Malformed("The cursor is not one of ours: leave it out to start over.")


def _window(
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
    cursor: Annotated[str | None, Query(max_length=1024)] = None,
) -> Window:
    return Window(limit, _decode(cursor) if cursor else None)


Paged = Annotated[Window, Depends(_window)]
