"""What a route may refuse, for its description: each kind with an example."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chassis.auth import MissingScope
from chassis.batching import TooManyWaiting
from chassis.database import DatabaseUnavailable
from chassis.errors import (
    MEDIA_TYPE,
    Fault,
    Malformed,
    Refused,
    TooLarge,
    Unauthenticated,
    Unprocessable,
    UnsupportedMediaType,
    problem,
)
from chassis.idempotency import KeyMissing, KeyReused

SCHEMA = "#/components/schemas/Problem"


def shown(instance: str, refused: Iterable[Refused]) -> dict[str, Any]:
    """A response's `content`, with an example for each code."""
    examples = {one.code: {"value": problem(one, instance=instance)} for one in refused}
    return {MEDIA_TYPE: {"schema": {"$ref": SCHEMA}, "examples": examples}}


def common(operation: Mapping[str, Any], *, needs_key: bool) -> Iterator[Refused]:
    """What any route of this kind may refuse, by what its description says of it."""
    for scheme in operation.get("security", ()):
        scopes = " or ".join(scope for scopes in scheme.values() for scope in scopes)
        yield Unauthenticated("Send a token: Authorization: Bearer …")
        yield MissingScope(f"The token lacks the scope {scopes}.")
    if needs_key:
        yield KeyMissing("Send an Idempotency-Key header: the same one when you retry.")
        yield KeyReused(
            "This Idempotency-Key came with another body before. Use a new one."
        )
    yield from _of_input(operation)
    yield TooManyWaiting("Too many requests are waiting. Try again shortly.")
    yield DatabaseUnavailable("The database does not answer.")


def _of_input(operation: Mapping[str, Any]) -> Iterator[Refused]:
    if body := operation.get("requestBody"):
        (media_type,) = body["content"]
        yield Malformed("The body is not JSON: EOF while parsing a value.")
        yield UnsupportedMediaType(f"Send the body as {media_type}.")
        yield TooLarge("The body is larger than 1048576 bytes.")
        fault = Fault("/name", "Field required")
        yield Unprocessable("The body is not valid.", faults=[fault])
    elif parameters := operation.get("parameters"):
        fault = Fault(f"#{parameters[0]['name']}", "Input should be valid")
        yield Unprocessable("A parameter of the request is not valid.", faults=[fault])
