"""A small Inventory: it moves the units of one order, and says how it stands."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from orders.domain.cancellations import Cancellation
from orders.domain.orders import Order
from orders.domain.snapshots import (
    Answer,
    Receipt,
    ReleasedLine,
    ReservedLine,
    Shipment,
    Snapshot,
)
from tests.orders.factories import a_receipt, a_shipment


@dataclass
class Warehouse:
    order: Order
    knows_it: bool = False
    reserved: Counter[int] = field(default_factory=Counter)
    backordered: Counter[int] = field(default_factory=Counter)
    shipped: Counter[int] = field(default_factory=Counter)
    released: Counter[int] = field(default_factory=Counter)
    returned: Counter[int] = field(default_factory=Counter)
    answers: list[Answer] = field(default_factory=list)
    shipments: list[Shipment] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    said: list[Snapshot] = field(default_factory=list)

    def wanted(self) -> dict[int, int]:
        """What the order asks for, but for what was cancelled before it came."""
        return {
            line.line: line.quantity - self.released[line.line]
            for line in self.order.lines
        }

    def hear_of_it(self, reserved: Counter[int], backordered: Counter[int]) -> None:
        self.knows_it = True
        self.reserved, self.backordered = reserved, backordered
        self._say()

    def fill(self, line: int, units: int) -> None:
        self.backordered[line] -= units
        self.reserved[line] += units
        self._say()

    def ship(self, units: Mapping[int, int]) -> None:
        self.reserved.subtract(units)
        self.shipped.update(units)
        self.shipments.append(a_shipment(units))
        self._say()

    def take_back(self, return_id: UUID, units: Mapping[int, int]) -> None:
        self.returned.update(units)
        self.receipts.append(a_receipt(units, return_id=return_id))
        self._say()

    def cancel(self, cancellation: Cancellation) -> None:
        lines = tuple(
            ReleasedLine(
                line=line.line,
                asked=line.quantity,
                released=self._release(line.line, line.quantity),
            )
            for line in cancellation.lines
        )
        self.answers.append(Answer(cancellation_id=cancellation.id, lines=lines))
        self._say()

    def _release(self, line: int, asked: int) -> int:
        if not self.knows_it:
            self.released[line] += asked
            return asked
        waiting = min(asked, self.backordered[line])
        here = min(asked - waiting, self.reserved[line])
        self.backordered[line] -= waiting
        self.reserved[line] -= here
        self.released[line] += waiting + here
        return waiting + here

    def _say(self) -> None:
        self.said.append(
            Snapshot(
                version=len(self.said) + 1,
                lines=self._lines(),
                answers=tuple(self.answers),
                shipments=tuple(self.shipments),
                receipts=tuple(self.receipts),
            )
        )

    def _lines(self) -> dict[int, ReservedLine]:
        requested = {line.line: line.quantity for line in self.order.lines}
        if not self.knows_it:
            requested = dict(self.released)
        return {
            line: ReservedLine(
                requested=units,
                reserved=self.reserved[line],
                backordered=self.backordered[line],
                shipped=self.shipped[line],
                released=self.released[line],
                returned=self.returned[line],
            )
            for line, units in requested.items()
        }
