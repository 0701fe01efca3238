"""Newline-delimited JSON as it streams in: at no time more of it than one row."""

from collections.abc import AsyncIterator

from fastapi import Request
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from chassis.errors import Malformed, TooLarge, UnsupportedMediaType

MEDIA_TYPE = "application/x-ndjson"


class NdjsonRows:
    """A dependency that gives the rows as they come; OpenAPI finds their model here."""

    def __init__(
        self, model: type[BaseModel], *, max_bytes: int, max_row_bytes: int
    ) -> None:
        self.model = model
        self._max_bytes = max_bytes
        self._max_row_bytes = max_row_bytes

    async def __call__(self, request: Request) -> AsyncIterator[bytes]:
        _check_header(request, self._max_bytes)
        return _rows(request, self._max_bytes, self._max_row_bytes)


async def _rows(
    request: Request, max_bytes: int, max_row_bytes: int
) -> AsyncIterator[bytes]:
    """The rows of the body; blank ones are none."""
    read = 0
    rest = b""
    try:
        async for chunk in request.stream():
            read += len(chunk)
            if read > max_bytes:
                raise _too_large("body", max_bytes)
            *rows, rest = (rest + chunk).split(b"\n")
            for row in (*rows, rest):
                if len(row) > max_row_bytes:
                    raise _too_large("row", max_row_bytes)
            for row in filter(bytes.strip, rows):
                yield row
    except ClientDisconnect:
        raise Malformed("The body broke off.") from None
    if rest.strip():
        yield rest


def _check_header(request: Request, max_bytes: int) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0]
    if media_type.strip().lower() != MEDIA_TYPE:
        raise UnsupportedMediaType(f"Send the rows as {MEDIA_TYPE}.")
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise _too_large("body", max_bytes)


def _too_large(what: str, most: int) -> TooLarge:
    return TooLarge(f"The {what} is larger than {most} bytes.")
