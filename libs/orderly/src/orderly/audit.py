"""The reconciliation: that the three services agree, in total and order by order.

Sums are compared first, and orders only where sums differ. What is under way differs
for a moment: so what disagrees is read again until it settles, or time is up.
"""

import asyncio
from collections.abc import (
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from time import monotonic
from typing import TypeAlias

from orderly.operations import JSON, PAGE, Operations
from orderly.stack.services import NAMES

PATIENCE_S = 30.0
LOOK_AGAIN_S = 1.0

Figures: TypeAlias = Mapping[str, int]
# What is being done, how much of it is done, and how much there is to do.
Progress: TypeAlias = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Figure:
    service: str
    name: str


@dataclass(frozen=True)
class Comparison:
    """What two figures tell of every order, each from where it is known."""

    what: str
    left: Figure
    right: Figure


def _same(name: str, what: str, left: str, right: str) -> Comparison:
    return Comparison(what, Figure(left, name), Figure(right, name))


def _in_books(what: str, left: str, right: str) -> Comparison:
    return Comparison(what, Figure("accounting", left), Figure("accounting", right))


COMPARISONS = (
    _same("requested", "units ordered", "orders", "inventory"),
    _same("reserved", "units reserved", "orders", "inventory"),
    _same("backordered", "units backordered", "orders", "inventory"),
    _same("shipped", "units shipped", "orders", "inventory"),
    _same("cancelled", "units short or cancelled", "orders", "inventory"),
    _same("returned", "units returned", "orders", "inventory"),
    _same("requested", "units ordered", "orders", "accounting"),
    _same("shipped", "units shipped", "orders", "accounting"),
    _same("cancelled", "units short or cancelled", "orders", "accounting"),
    _same("returned", "units returned", "orders", "accounting"),
    _same("short", "units short", "inventory", "accounting"),
    _same("sequence", "facts without gaps", "orders", "accounting"),
    _same("total", "amount placed", "orders", "accounting"),
    _same("deposits", "deposits of undecided orders", "orders", "accounting"),
    _in_books("units to invoice, invoiced", "to_invoice", "invoiced_units"),
    _in_books("units to credit, credited", "to_credit", "credited_units"),
    _in_books("refunds owed, open", "refunds_owed", "refunds_open"),
    _in_books("amounts invoiced, posted", "invoiced", "invoiced_posted"),
    _in_books("amounts credited, posted", "credited", "credited_posted"),
    _in_books("prepaid units undelivered, deferred", "undelivered", "deferred"),
    _in_books("invoiced on terms, receivable", "on_terms", "receivable"),
    _in_books("invoices paid, payments allocated", "paid", "allocated"),
    _in_books("credit notes set off, on invoices", "set_off", "lessened"),
)


@dataclass(frozen=True)
class Disagreement:
    """An order of which two figures differ that should be equal."""

    order_id: str
    comparison: Comparison
    left: int
    right: int


@dataclass(frozen=True)
class Outcome:
    """A comparison over all orders, as the sums were when they were first read."""

    comparison: Comparison
    left: int
    right: int
    disagreements: Sequence[Disagreement]


@dataclass(frozen=True)
class Broken:
    """A check that does not hold inside a service."""

    service: str
    check: JSON


@dataclass(frozen=True)
class Report:
    orders: int
    checks: int
    outcomes: Sequence[Outcome]
    broken: Sequence[Broken]
    queues: Sequence[JSON] = field(default=())

    @property
    def clean(self) -> bool:
        return not (
            self.broken
            or self.queues
            or any(outcome.disagreements for outcome in self.outcomes)
        )


async def audit(
    operations: Operations,
    *,
    patience_s: float = PATIENCE_S,
    progress: Progress = lambda _, __, ___: None,
) -> Report:
    return await _Audit(operations, progress, monotonic() + patience_s).run()


@dataclass
class _Audit:
    operations: Operations
    progress: Progress
    deadline: float

    async def run(self) -> Report:
        digests = await self._digests()
        suspects = await self._compare(_differing_buckets(digests))
        left = await self._settle(suspects)
        broken = await self._settle_checks(digests)
        return Report(
            orders=digests["orders"]["totals"]["orders"],
            checks=sum(len(digest["checks"]) for digest in digests.values()),
            outcomes=[
                _outcome(comparison, digests, left) for comparison in COMPARISONS
            ],
            broken=broken,
            queues=await self._bad_queues(),
        )

    async def _digests(self) -> dict[str, JSON]:
        self.progress("adding up", 0, 1)
        found = await asyncio.gather(*map(self.operations.digest, NAMES))
        self.progress("adding up", 1, 1)
        return dict(zip(NAMES, found, strict=True))

    async def _compare(self, buckets: Sequence[str]) -> set[str]:
        """The orders of these buckets that differ, or differed while they were read."""
        suspects: set[str] = set()
        for done, bucket in enumerate(buckets):
            self.progress("comparing orders", done, len(buckets))
            read = (self._bucket(name, bucket) for name in NAMES)
            found = dict(zip(NAMES, await asyncio.gather(*read), strict=True))
            suspects.update(one.order_id for one in _disagreements(found))
        self.progress("comparing orders", len(buckets), len(buckets))
        return suspects

    async def _settle(self, suspects: set[str]) -> list[Disagreement]:
        """Read orders again until they agree, or time is up."""
        first = len(suspects)
        while True:
            left = [d async for d in self._again(sorted(suspects))]
            suspects = {one.order_id for one in left}
            self.progress("waiting for orders under way", first - len(suspects), first)
            if not suspects or monotonic() > self.deadline:
                return left
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _settle_checks(self, digests: Mapping[str, JSON]) -> list[Broken]:
        broken = _broken(digests)
        while broken and monotonic() < self.deadline:
            await asyncio.sleep(LOOK_AGAIN_S)
            names = sorted({one.service for one in broken})
            found = await asyncio.gather(*map(self.operations.digest, names))
            broken = _broken(dict(zip(names, found, strict=True)))
        return broken

    async def _bad_queues(self) -> list[JSON]:
        found = await asyncio.gather(*map(self.operations.queues, NAMES))
        return [
            queue
            for queues in found
            for queue in queues
            if queue["error"] or queue["dead_letters"]
        ]

    async def _bucket(self, service: str, bucket: str) -> dict[str, Figures]:
        orders = self.operations.orders_in(service, bucket)
        return {row["order_id"]: row["figures"] async for row in orders}

    async def _again(self, ids: Sequence[str]) -> AsyncIterator[Disagreement]:
        for start in range(0, len(ids), PAGE // 2):
            some = ids[start : start + PAGE // 2]
            read = (self.operations.orders(name, some) for name in NAMES)
            pages = await asyncio.gather(*read)
            found = {
                name: {row["order_id"]: row["figures"] for row in page}
                for name, page in zip(NAMES, pages, strict=True)
            }
            for disagreement in _disagreements(found):
                yield disagreement


def _differing_buckets(digests: Mapping[str, JSON]) -> list[str]:
    buckets = {
        name: {bucket["bucket"]: bucket for bucket in digest["buckets"]}
        for name, digest in digests.items()
    }
    named = set().union(*buckets.values())
    return sorted(
        bucket
        for bucket in named
        if any(
            _sums(buckets, comparison.left, bucket)
            != _sums(buckets, comparison.right, bucket)
            for comparison in COMPARISONS
        )
    )


def _sums(
    buckets: Mapping[str, Mapping[str, JSON]], figure: Figure, bucket: str
) -> tuple[int, int]:
    found = buckets[figure.service].get(bucket)
    if found is None:
        return 0, 0
    return found["figures"][figure.name], found["mixed"][figure.name]


def _disagreements(
    found: Mapping[str, Mapping[str, Figures]],
) -> Iterator[Disagreement]:
    """Of an order that a service does not know, it knows nothing: all is 0."""
    for order_id in sorted(set().union(*found.values())):
        for comparison in COMPARISONS:
            left = _figure(found, comparison.left, order_id)
            right = _figure(found, comparison.right, order_id)
            if left != right:
                yield Disagreement(order_id, comparison, left, right)


def _figure(
    found: Mapping[str, Mapping[str, Figures]], figure: Figure, order_id: str
) -> int:
    return found[figure.service].get(order_id, {}).get(figure.name, 0)


def _outcome(
    comparison: Comparison,
    digests: Mapping[str, JSON],
    left: Iterable[Disagreement],
) -> Outcome:
    return Outcome(
        comparison,
        _total(digests, comparison.left),
        _total(digests, comparison.right),
        [one for one in left if one.comparison == comparison],
    )


def _total(digests: Mapping[str, JSON], figure: Figure) -> int:
    return int(digests[figure.service]["totals"]["figures"].get(figure.name, 0))


def _broken(digests: Mapping[str, JSON]) -> list[Broken]:
    return [
        Broken(name, check)
        for name, digest in digests.items()
        for check in digest["checks"]
        if not check["holds"]
    ]
