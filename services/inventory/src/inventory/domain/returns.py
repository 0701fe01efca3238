"""What may come back: what was shipped, and has not come back before."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from chassis.errors import Conflict
from contracts.inventory import Condition
from inventory.domain.history import (
    MOST_RETURN_RECEIPTS,
    MOST_RETURNED_LINES,
    History,
    ReturnedLine,
    ReturnReceipt,
)
from inventory.domain.products import KnownProduct
from inventory.domain.reservations import Cause, Line, Reservation
from inventory.domain.shipments import LineUnits, check_lines
from inventory.domain.stock import Movement, MovementKind


class MoreThanShipped(Conflict):
    """More cannot come back than left."""

    code = "more_than_shipped"


class TooManyReturnReceipts(Conflict):
    """An order comes back in so many parts that one message could not tell them."""

    code = "too_many_return_receipts"


class ReturnedUnits(LineUnits, frozen=True, kw_only=True):
    condition: Condition


class ReturnedParcel(Struct, frozen=True, kw_only=True):
    """What came back, as the caller says."""

    receipt_id: UUID
    order_id: UUID
    return_id: UUID
    location: str
    lines: tuple[ReturnedUnits, ...]
    received_at: datetime


class Returned(Struct, frozen=True):
    """A reservation after units came back."""

    reservation: Reservation
    receipt: ReturnReceipt

    @property
    def movements(self) -> list[Movement]:
        """Damaged goods come in like the others, and go at once."""
        skus = {line.line: line.sku for line in self.reservation.lines}
        return [
            Movement(
                location=self.receipt.location,
                sku=skus[line.line],
                on_hand_change=change,
                kind=kind,
                reference=str(self.receipt.order_id),
            )
            for line in self.receipt.lines
            for kind, change in _changes(line)
        ]

    @property
    def resellable(self) -> set[str]:
        """The SKUs of which there are more now."""
        skus = {line.line: line.sku for line in self.reservation.lines}
        return {
            skus[line.line]
            for line in self.receipt.lines
            if line.condition is Condition.RESELLABLE
        }


def _changes(line: ReturnedLine) -> list[tuple[MovementKind, int]]:
    came = (MovementKind.RETURN, line.quantity)
    if line.condition is Condition.DAMAGED:
        return [came, (MovementKind.SCRAP, -line.quantity)]
    return [came]


def take_back(
    reservation: Reservation, parcel: ReturnedParcel, known: Mapping[str, KnownProduct]
) -> Returned:
    """Have units back, at what they cost now."""
    lines = {line.line: line for line in reservation.lines}
    check_lines([units.line for units in parcel.lines], lines)
    _check_shipped(parcel, lines)
    # Others of its lines may be of goods that nobody has described.
    products = {n.line: known[lines[n.line].sku].product for n in parcel.lines}
    came: Counter[tuple[int, Condition]] = Counter()
    for units in parcel.lines:
        came[units.line, units.condition] += units.quantity
    receipt = ReturnReceipt(
        receipt_id=parcel.receipt_id,
        order_id=parcel.order_id,
        return_id=parcel.return_id,
        location=parcel.location,
        lines=tuple(
            ReturnedLine(
                line=line,
                quantity=quantity,
                cost=quantity * products[line].unit_cost,
                condition=condition,
            )
            for (line, condition), quantity in sorted(came.items())
        ),
        received_at=parcel.received_at,
    )
    history = _with(reservation.history, receipt)
    for line in receipt.lines:
        currency = products[line.line].currency
        lines[line.line] = lines[line.line].take_back(line, currency)
    return Returned(reservation.become(Cause.RETURNED, lines, history), receipt)


def _check_shipped(parcel: ReturnedParcel, lines: Mapping[int, Line]) -> None:
    asked: Counter[int] = Counter()
    for units in parcel.lines:
        asked[units.line] += units.quantity
    excess = [
        {
            "line": number,
            "asked": quantity,
            "shipped": lines[number].shipped,
            "returned": lines[number].returned,
        }
        for number, quantity in asked.items()
        if quantity > lines[number].shipped - lines[number].returned
    ]
    if excess:
        raise MoreThanShipped(
            "Less than that was shipped and has not come back.", lines=excess
        )


def _with(history: History, receipt: ReturnReceipt) -> History:
    returns = (*history.returns, receipt)
    lines = sum(len(receipt.lines) for receipt in returns)
    if len(returns) > MOST_RETURN_RECEIPTS or lines > MOST_RETURNED_LINES:
        raise TooManyReturnReceipts(
            f"An order comes back in at most {MOST_RETURN_RECEIPTS} receipts,"
            f" of {MOST_RETURNED_LINES} lines together.",
            return_receipts=len(returns),
            lines=lines,
        )
    return replace(history, returns=returns)
