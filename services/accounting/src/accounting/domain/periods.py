"""Periods: months, each open until it is closed, in their order and for good."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import NamedTuple

from msgspec import Struct
from typing_extensions import override


class Month(Struct, frozen=True, order=True):
    first: date

    @classmethod
    def of(cls, day: date) -> "Month":
        return cls(day.replace(day=1))

    @property
    def next(self) -> "Month":
        return Month.of(self.first + timedelta(days=31))

    @property
    def before(self) -> "Month":
        return Month.of(self.first - timedelta(days=1))

    @property
    def last(self) -> date:
        return self.next.first - timedelta(days=1)

    @override
    def __str__(self) -> str:
        return f"{self.first:%Y-%m}"


class Missing(NamedTuple):
    """One reason why a period cannot be closed yet; `detail` is for people."""

    what: str
    detail: str


class Loose(Struct, frozen=True, kw_only=True):
    """What of a period is not in the books yet, as far as can be seen here."""

    first_open: Month | None
    parked: int
    unnumbered: int
    waiting: Mapping[str, int]


def missing(month: Month, today: date, loose: Loose) -> list[Missing]:
    """What stands between the month and its being closed; nothing: close it."""
    found = []
    if today <= month.last:
        found.append(Missing("period_not_over", f"{month} lasts until {month.last}."))
    if loose.first_open is not None and loose.first_open < month:
        found.append(
            Missing(
                "earlier_period_open", f"{loose.first_open} has to be closed first."
            )
        )
    if loose.parked:
        found.append(
            Missing("facts_parked", f"{loose.parked} facts wait for an earlier one.")
        )
    if loose.unnumbered:
        found.append(
            Missing(
                "documents_unnumbered", f"{loose.unnumbered} documents have no number."
            )
        )
    found += [
        Missing("queue_not_empty", f"{queue} holds {depth} messages.")
        for queue, depth in loose.waiting.items()
        if depth
    ]
    return found
