"""Days and moments in requests: written out, as RFC 3339 has them."""

import re
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator

_DATE_FIRST = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _written_out(value: Any) -> Any:
    if isinstance(value, str) and not _DATE_FIRST.match(value):
        raise ValueError("write a day as 2026-11-21, a moment as 2026-11-21T09:30:00Z")
    return value


# For a parameter: pydantic alone takes any number for seconds since 1970.
WrittenOut = BeforeValidator(_written_out)
Day = Annotated[date, WrittenOut]
