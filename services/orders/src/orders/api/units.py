"""Units of lines, as they are asked for in cancellations and returns."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from chassis.bodies import RequestBody, text
from orders.domain.lines import Units

Reason = Annotated[str, text(500), Field(description="for people; it stays in Orders")]


class UnitsBody(RequestBody):
    line: Annotated[int, Field(ge=1, le=500, description="the order's line")]
    quantity: Annotated[int, Field(ge=1, le=100_000)]


SomeUnits = Annotated[tuple[UnitsBody, ...], Field(min_length=1, max_length=500)]


def units_of(lines: Iterable[UnitsBody]) -> tuple[Units, ...]:
    return tuple(Units(line=line.line, quantity=line.quantity) for line in lines)
