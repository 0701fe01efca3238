"""docs/limits.md says what the code says."""

import re
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from orders.settings import Settings

PAGE = Path(__file__).parent.parent / "docs" / "limits.md"
ROW = re.compile(
    r"^\| (?P<what>[^|]+) \| (?P<limit>\d+) \| `(?P<where>[\w.]+)` \| .+ \|$"
)
ROWS = [line for line in PAGE.read_text().splitlines() if re.match(r"\| [a-z]", line)]


def in_code(where: str) -> Any:
    """The constant of this name, or the default of the setting."""
    if where.isupper():
        return Settings.model_fields[where.removeprefix("ORDERS_").lower()].default
    module, _, names = next(
        (before, dot, after)
        for at in range(where.count("."), 0, -1)
        for before, dot, after in [split(where, at)]
        if is_module(before)
    )
    return reduce(getattr, names.split("."), import_module(module))


def split(where: str, at: int) -> tuple[str, str, str]:
    parts = where.split(".")
    return ".".join(parts[:at]), ".", ".".join(parts[at:])


def is_module(name: str) -> bool:
    try:
        import_module(name)
    except ModuleNotFoundError:
        return False
    return True


@pytest.mark.parametrize("row", ROWS)
def test_a_limit_is_what_the_page_says(row):
    told = ROW.fullmatch(row)

    assert told, "what, a number, where in the code, and what happens then"
    assert in_code(told["where"]) == int(told["limit"])


def test_the_page_has_the_limits():
    assert len(ROWS) > 40
