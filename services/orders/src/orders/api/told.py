"""What customers are told of facts: all but what goods cost the retailer."""

from collections.abc import Mapping
from typing import Any

from chassis.auth import Caller

_COSTS = frozenset({"cost", "cost_currency"})


def told_to(caller: Caller, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """A fact's data, as far as it is this caller's to know."""
    if caller.customer_id is None or "lines" not in data:
        return data
    lines = [
        {name: value for name, value in line.items() if name not in _COSTS}
        for line in data["lines"]
    ]
    return {**data, "lines": lines}
