"""Dying in a test's own process, for what nobody can wait for in a running system.

To the database it is the same: what comes after the place is never asked of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from chassis import failpoints
from chassis.failpoints import Death

# ruff: noqa: SLF001 - nobody else arms a process that is to live on

# Before and after the commit.
PLACES = ("worked", "committed")


class Died(BaseException):
    """Which no code of ours catches, as none notices that it is killed."""


@contextmanager
def dying(place: str, work: str) -> Iterator[None]:
    """The block ends at the first arrival there, which has to come."""

    def die(_: Path) -> NoReturn:
        raise Died

    armed = failpoints._Armed(Path(), Death(place, work, arrivals_left=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(failpoints, "_armed", armed)
        patch.setattr(failpoints, "_forget_first_line", die)
        with pytest.raises(Died):
            yield
