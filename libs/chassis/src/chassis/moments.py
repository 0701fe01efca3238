"""Days and moments in requests: written out, as RFC 3339 has them."""

import re
from datetime import date, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AwareDatetime, BeforeValidator, Field

T = TypeVar("T", bound=datetime)

_DATE_FIRST = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _written_out(value: Any) -> Any:
    if isinstance(value, date) or (isinstance(value, str) and _DATE_FIRST.match(value)):
        return value
    raise ValueError("write a day as 2026-11-21, a moment as 2026-11-21T09:30:00Z")


# Pydantic alone takes any number, also as text, for seconds since 1970.
WrittenOut = BeforeValidator(_written_out)
Day = Annotated[date, WrittenOut]
# Of moments with bounds: these go inside, or a schema would not know them. Text is no
# moment to who is strict, once somebody else has looked at it.
Written = Annotated[T, Field(strict=False), WrittenOut]
Moment = Written[AwareDatetime]
