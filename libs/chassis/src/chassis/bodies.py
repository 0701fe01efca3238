"""Reading request bodies: bounded, strict, once, and after the caller is known.

FastAPI reads a body before it asks who is calling; these dependencies do not.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar

import jiter
from fastapi import Depends, Request
from pydantic import (
    BaseModel,
    ConfigDict,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import ErrorDetails, from_json

from chassis.errors import (
    Fault,
    Malformed,
    TooLarge,
    Unprocessable,
    UnsupportedMediaType,
    faults_of,
)

MAX_BYTES = 1024 * 1024


class RequestBody(BaseModel):
    """What a caller sends: types are not converted, and unknown fields are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def text(max_length: int, *, min_length: int = 1) -> StringConstraints:
    """Text that PostgreSQL can store: it takes no NUL."""
    return StringConstraints(
        min_length=min_length, max_length=max_length, pattern="^[^\\x00]*$"
    )


M = TypeVar("M", bound=BaseModel)


class JsonBody(Generic[M]):
    """A dependency that reads the body as one model; OpenAPI finds the model here."""

    def __init__(self, model: type[M], max_bytes: int) -> None:
        self.model = model
        self._adapter = TypeAdapter(model)
        self._max_bytes = max_bytes

    async def __call__(self, request: Request) -> M:
        media_type = (
            request.headers.get("content-type", "").partition(";")[0].strip().lower()
        )
        if media_type != "application/json":
            raise UnsupportedMediaType("Send the body as application/json.")
        return parse(self._adapter, await bounded(request, self._max_bytes))


def reads(model: type[BaseModel], *, max_bytes: int = MAX_BYTES) -> Any:
    """For a route's parameter: `body: Annotated[Receipt, reads(Receipt)]`."""
    return Depends(JsonBody(model, max_bytes))


async def bounded(request: Request, max_bytes: int) -> bytes:
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    body, more = bytearray(), True
    while more:  # as the framework does, whose generator costs more than what it reads
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise Malformed("The body broke off.")
        body += message.get("body", b"")
        if len(body) > max_bytes:  # what was declared need not be what comes
            raise _too_large(max_bytes)
        more = message.get("more_body", False)
    return bytes(body)


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(f"The body is larger than {max_bytes} bytes.")


def parse(adapter: TypeAdapter[M], raw: bytes | str, *, prefix: str = "") -> M:
    try:
        parsed = adapter.validate_json(raw)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        if found[0]["type"] == "json_invalid":
            raise Malformed(f"The body is not JSON: {_why(found[0])}.") from None
        raise Unprocessable(
            "The body is not valid.", faults=_faults(found, _json(raw), prefix)
        ) from None
    _refuse_repeated_names(raw)
    return parsed


def _why(error: ErrorDetails) -> str:
    return error["msg"].removeprefix("Invalid JSON: ")


def _json(raw: bytes | str) -> Any:
    """The document by the letter: pydantic also reads NaN and Infinity."""
    try:
        return from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise Malformed(f"The body is not JSON: {error}.") from None


def _refuse_repeated_names(raw: bytes | str) -> None:
    """Others may go by the first of two equal names; we would have gone by the last."""
    document = raw.encode() if isinstance(raw, str) else raw
    try:
        jiter.from_json(document, catch_duplicate_keys=True, cache_mode="keys")
    except ValueError as error:
        raise Malformed(f"The body is ambiguous: {error}.") from None


def _faults(found: list[ErrorDetails], document: Any, prefix: str) -> list[Fault]:
    """The findings at places that are in the document.

    Pydantic also names the branch of a union that it took, which nobody has sent, and
    counts items that are not valid as missing ones.
    """
    for error in found:
        error["loc"] = tuple(_sent(error["loc"], document))
        if error["type"] == "union_tag_invalid":  # would tell what was sent
            kind, there = error["ctx"]["discriminator"], error["ctx"]["expected_tags"]
            error["msg"] = f"There is no such {kind[1:-1]}, but there are {there}"
    meant = [error for error in found if not _misses_what_is_there(error, document)]
    return faults_of(meant, prefix=prefix)


def _misses_what_is_there(error: ErrorDetails, document: Any) -> bool:
    if error["type"] != "too_short":
        return False
    for part in error["loc"]:
        document = document[part]
    return bool(len(document) >= error["ctx"]["min_length"])


def _sent(loc: Sequence[int | str], document: Any) -> Iterator[int | str]:
    for part in loc[:-1]:
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            continue
        yield part
    yield from loc[-1:]
