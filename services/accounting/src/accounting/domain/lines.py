"""An order line's units: which of them leave, and what falls to each.

One counter runs over the units that leave, shipped and cancelled, in the order of the
facts. Short units are the last ones; what comes back was shipped first.
"""

from collections.abc import Iterator
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from accounting.domain.shares import Item, share

# From a unit up to, and without, another; units are counted from 0.
Run: TypeAlias = tuple[int, int]


class Inconsistent(Exception):
    """A fact that cannot be true of the order as the books know it."""


class Line(Struct, frozen=True, kw_only=True):
    """`discount` and `tax` are of all units."""

    line: int
    sku: str
    quantity: int
    unit_price: int
    discount: int
    tax: int
    tax_rate: str | None
    short: int = 0
    shipped: int = 0
    cancelled: int = 0
    returned: int = 0
    shipped_runs: tuple[Run, ...] = ()

    @property
    def confirmed(self) -> int:
        return self.quantity - self.short

    @property
    def left(self) -> int:
        """How many units the counter has seen."""
        return self.shipped + self.cancelled

    @property
    def open(self) -> int:
        return self.confirmed - self.left

    @property
    def whole(self) -> Item:
        return self._item(self.quantity, self.discount, self.tax)

    def units(self, first: int, count: int) -> Item:
        """The `count` units that follow the `first` ones."""
        if count == self.quantity:
            return self.whole
        return self._of_runs([(first, first + count)])

    def ship(self, count: int) -> tuple["Line", Item]:
        self._only(count, self.open, "shipped")
        leaving = (self.left, self.left + count)
        after = replace(
            self,
            shipped=self.shipped + count,
            shipped_runs=_appended(self.shipped_runs, leaving),
        )
        return after, self._of_runs([leaving])

    def cancel(self, count: int) -> tuple["Line", Item]:
        self._only(count, self.open, "cancelled")
        after = replace(self, cancelled=self.cancelled + count)
        return after, self.units(self.left, count)

    def take_back(self, count: int) -> tuple["Line", Item]:
        self._only(count, self.shipped - self.returned, "returned")
        after = replace(self, returned=self.returned + count)
        return after, self._of_runs(_cut(self.shipped_runs, self.returned, count))

    def _only(self, count: int, most: int, what: str) -> None:
        if not 0 < count <= most:
            raise Inconsistent(f"{count} of {most} units of line {self.line} {what}")

    def _of_runs(self, runs: Iterator[Run] | list[Run]) -> Item:
        spans = list(runs)
        return self._item(
            quantity=sum(end - first for first, end in spans),
            discount=sum(self._share(self.discount, span) for span in spans),
            tax=sum(self._share(self.tax, span) for span in spans),
        )

    def _item(self, quantity: int, discount: int, tax: int) -> Item:
        return Item(
            line=self.line,
            sku=self.sku,
            description=self.sku,
            quantity=quantity,
            unit_price=self.unit_price,
            discount=discount,
            tax_rate=self.tax_rate,
            net=quantity * self.unit_price - discount,
            tax=tax,
        )

    def _share(self, whole: int, run: Run) -> int:
        first, end = run
        return share(whole, quantity=self.quantity, first=first, units=end - first)


def _appended(runs: tuple[Run, ...], run: Run) -> tuple[Run, ...]:
    """With the run at the end; what follows on without a break is one run."""
    if runs and runs[-1][1] == run[0]:
        return (*runs[:-1], (runs[-1][0], run[1]))
    return (*runs, run)


def _cut(runs: tuple[Run, ...], skip: int, count: int) -> Iterator[Run]:
    """The `count` units of the runs that follow the `skip` first ones."""
    for first, end in runs:
        start = min(first + skip, end)
        stop = min(start + count, end)
        skip -= start - first
        count -= stop - start
        if start < stop:
            yield start, stop
