"""What may leave: what is reserved, and nothing else."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from chassis.errors import Conflict, Fault, Unprocessable
from inventory.domain.history import (
    MOST_SHIPMENTS,
    MOST_SHIPPED_LINES,
    History,
    MovedLine,
    Shipment,
)
from inventory.domain.products import KnownProduct
from inventory.domain.reservations import (
    Allocation,
    Cause,
    Line,
    Reservation,
    portions,
)
from inventory.domain.stock import Movement, MovementKind


class UnknownLine(Unprocessable):
    """A body names a line that the order does not have."""

    code = "unknown_line"


class MoreThanReserved(Conflict):
    """Only what is reserved can be shipped."""

    code = "more_than_reserved"


class NothingReserved(Conflict):
    """Everything is to be shipped, and there is nothing."""

    code = "nothing_reserved"


class TooManyShipments(Conflict):
    """An order leaves in so many parts that they could not be told in one message."""

    code = "too_many_shipments"


class LineUnits(Struct, frozen=True, kw_only=True):
    line: int
    quantity: int


class Parcel(Struct, frozen=True, kw_only=True):
    """What leaves, as the caller says; no lines: all that is reserved."""

    shipment_id: UUID
    order_id: UUID
    carrier: str | None
    tracking: str | None
    lines: tuple[LineUnits, ...] | None
    shipped_at: datetime


class Shipped(Struct, frozen=True):
    """A reservation after its shipment, and from where the units left."""

    reservation: Reservation
    shipment: Shipment
    taken: tuple[Allocation, ...]

    @property
    def movements(self) -> list[Movement]:
        return [
            Movement(
                location=units.location,
                sku=units.sku,
                on_hand_change=-units.reserved,
                reserved_change=-units.reserved,
                kind=MovementKind.SHIPMENT,
                reference=str(units.order_id),
            )
            for units in self.taken
        ]


def ship(
    reservation: Reservation,
    parcel: Parcel,
    kept: Sequence[Allocation],
    known: Mapping[str, KnownProduct],
) -> Shipped:
    """Send units off, the preferred locations first, at what they cost now."""
    lines = {line.line: line for line in reservation.lines}
    units = _units(parcel, lines)
    products = {number: known[lines[number].sku].product for number in units}
    moved = {
        number: MovedLine(
            line=number,
            quantity=quantity,
            cost=quantity * products[number].unit_cost,
        )
        for number, quantity in sorted(units.items())
    }
    shipment = Shipment(
        shipment_id=parcel.shipment_id,
        order_id=parcel.order_id,
        carrier=parcel.carrier,
        tracking=parcel.tracking,
        lines=tuple(moved.values()),
        shipped_at=parcel.shipped_at,
    )
    history = _with(reservation.history, shipment)
    after = {
        number: lines[number].ship(line, products[number].currency)
        for number, line in moved.items()
    }
    return Shipped(
        reservation.become(Cause.SHIPPED, after, history),
        shipment,
        portions(kept, units),
    )


def check_lines(wanted: Sequence[int], known: Mapping[int, Line]) -> None:
    """Refuse a body whose lines are not all the order's."""
    faults = [
        Fault(f"/lines/{index}/line", f"The order has no line {number}.")
        for index, number in enumerate(wanted)
        if number not in known
    ]
    if faults:
        raise UnknownLine("The order has other lines.", faults=faults)


def _units(parcel: Parcel, lines: Mapping[int, Line]) -> Mapping[int, int]:
    if parcel.lines is None:
        everything = {n: line.reserved for n, line in lines.items() if line.reserved}
        if not everything:
            raise NothingReserved("Nothing is reserved for this order.")
        return everything
    check_lines([units.line for units in parcel.lines], lines)
    wanted: Counter[int] = Counter()
    for units in parcel.lines:
        wanted[units.line] += units.quantity
    excess = [
        {"line": number, "asked": asked, "reserved": lines[number].reserved}
        for number, asked in wanted.items()
        if asked > lines[number].reserved
    ]
    if excess:
        raise MoreThanReserved(
            "Less than that is reserved for this order.", lines=excess
        )
    return wanted


def _with(history: History, shipment: Shipment) -> History:
    shipments = (*history.shipments, shipment)
    lines = sum(len(shipment.lines) for shipment in shipments)
    if len(shipments) > MOST_SHIPMENTS or lines > MOST_SHIPPED_LINES:
        raise TooManyShipments(
            f"An order leaves in at most {MOST_SHIPMENTS} shipments,"
            f" of {MOST_SHIPPED_LINES} lines together.",
            shipments=len(shipments),
            lines=lines,
        )
    return replace(history, shipments=shipments)
