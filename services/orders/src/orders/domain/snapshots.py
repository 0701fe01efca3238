"""What Inventory says of an order's units: absolute, and checked against itself."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from contracts.inventory import Condition


class Contradiction(Exception):
    """Inventory says what cannot be true of this order."""


class ReservedLine(Struct, frozen=True, kw_only=True):
    """Where Inventory says a line's units are."""

    requested: int
    reserved: int
    backordered: int
    shipped: int
    released: int
    returned: int

    @property
    def confirmed(self) -> int:
        return self.reserved + self.backordered + self.shipped + self.released

    @property
    def short(self) -> int:
        return self.requested - self.confirmed


class ReleasedLine(Struct, frozen=True, kw_only=True):
    line: int
    asked: int
    released: int

    @property
    def missing(self) -> int:
        return self.asked - self.released


class Answer(Struct, frozen=True, kw_only=True):
    """What became of a cancellation."""

    cancellation_id: UUID
    lines: tuple[ReleasedLine, ...]


class MovedLine(Struct, frozen=True, kw_only=True):
    line: int
    quantity: int
    cost: int
    cost_currency: str | None


class ReturnedLine(MovedLine, frozen=True, kw_only=True):
    condition: Condition


class Shipment(Struct, frozen=True, kw_only=True):
    shipment_id: UUID
    carrier: str | None
    tracking: str | None
    lines: tuple[MovedLine, ...]
    shipped_at: datetime


class Receipt(Struct, frozen=True, kw_only=True):
    """What came back at one time; a return may come in parts."""

    receipt_id: UUID
    return_id: UUID
    lines: tuple[ReturnedLine, ...]
    received_at: datetime


class Snapshot(Struct, frozen=True, kw_only=True):
    """An order's reservation as it stood at that version, by line.

    Answers, shipments and receipts are complete, in the order in which they happened.
    """

    version: int
    lines: Mapping[int, ReservedLine]
    answers: tuple[Answer, ...] = ()
    shipments: tuple[Shipment, ...] = ()
    receipts: tuple[Receipt, ...] = ()

    def check(self) -> None:
        """Raise unless each line's figures are what its movements add up to."""
        if not self._has_moved():
            return
        told = {
            "released": _sum(
                (line.line, line.released)
                for answer in self.answers
                for line in answer.lines
            ),
            "shipped": _moved(self.shipments),
            "returned": _moved(self.receipts),
        }
        for figure, by_line in told.items():
            said = {n: getattr(line, figure) for n, line in self.lines.items()}
            if +Counter(said) != +by_line:
                raise Contradiction(f"{figure}: {said}, but by its parts {by_line}")

    def _has_moved(self) -> bool:
        if self.answers or self.shipments or self.receipts:
            return True
        lines = self.lines.values()
        return any(line.released or line.shipped or line.returned for line in lines)

    def left_by_shipping(self, answer: Answer) -> bool:
        """Whether some of the units that a cancellation asked for had shipped.

        What it missed had not, as long as it was short all along. Of several
        cancellations that miss units, the earlier ones count them first.
        """
        missing: Counter[int] = Counter()
        for earlier in self.answers[: self.answers.index(answer) + 1]:
            missing.update({line.line: line.missing for line in earlier.lines})
        return any(
            line.missing and missing[line.line] > self.lines[line.line].short
            for line in answer.lines
        )


def _moved(movements: Iterable[Shipment] | Iterable[Receipt]) -> Counter[int]:
    return _sum(
        (line.line, line.quantity) for moved in movements for line in moved.lines
    )


def _sum(units: Iterable[tuple[int, int]]) -> Counter[int]:
    by_line: Counter[int] = Counter()
    for line, quantity in units:
        if quantity < 0:
            raise Contradiction(f"{quantity} units of line {line}")
        by_line[line] += quantity
    return by_line
