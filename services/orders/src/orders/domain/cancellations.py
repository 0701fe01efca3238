"""Cancellations: asked for here, decided by Inventory."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Self
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from chassis.errors import Conflict
from chassis.ids import uuid5
from orders.domain.facts import (
    CancellationRefused,
    CancellationRequested,
    Cancelled,
    Numbered,
)
from orders.domain.lines import Units
from orders.domain.orders import Order, OrderRejected, Status, excess
from orders.domain.snapshots import Answer, Contradiction

# Never to change: a retry must find what the first attempt made.
_CANCELLATIONS = UUID("0f2a2c3c-6a0b-4d3f-a3f5-8f1d4b6c2a55")

# Inventory lists all of them, with its answers, in every snapshot.
MOST_CANCELLATIONS = 50
MAY_BE_CANCELLED = (Status.PLACED, Status.CONFIRMED, Status.PARTIALLY_SHIPPED)


class NothingToCancel(Conflict):
    code = "nothing_to_cancel"


class MoreThanOpen(Conflict):
    """Each fault names the line, and how many units could still be cancelled."""

    code = "more_than_open"


class TooManyCancellations(Conflict):
    code = "too_many_cancellations"


class CancellationStatus(StrEnum):
    REQUESTED = "requested"
    COMPLETED = "completed"
    PARTLY_COMPLETED = "partly_completed"
    REFUSED = "refused"


class CancellationLine(Struct, frozen=True, kw_only=True):
    """How many units it asks for, and how many of them Inventory released."""

    line: int
    quantity: int
    cancelled: int = 0


class Cancellation(Struct, frozen=True, kw_only=True):
    id: UUID
    order_id: UUID
    sequence: int  # of the fact that it was requested
    status: CancellationStatus = CancellationStatus.REQUESTED
    lines: tuple[CancellationLine, ...]
    reason: str | None
    requested_at: datetime
    decided_at: datetime | None = None
    rescue_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.status is CancellationStatus.REQUESTED

    @property
    def request(self) -> CancellationRequested:
        """What Inventory is told; again, if it does not answer."""
        return CancellationRequested(
            order_id=self.order_id,
            cancellation_id=self.id,
            lines=tuple(
                Units(line=line.line, quantity=line.quantity) for line in self.lines
            ),
            requested_at=self.requested_at,
        )

    def answered(
        self, answer: Answer, at: datetime, *, complete: bool
    ) -> tuple[Self, Cancelled | CancellationRefused]:
        """Decided by what was released of it."""
        if not self.is_open:
            raise Contradiction(f"cancellation {self.id} is answered twice")
        lines = self._released(answer)
        units = tuple(
            Units(line=line.line, quantity=line.cancelled)
            for line in lines
            if line.cancelled
        )
        if not units:
            status = CancellationStatus.REFUSED
        elif complete:
            status = CancellationStatus.COMPLETED
        else:
            status = CancellationStatus.PARTLY_COMPLETED
        decided = replace(
            self, status=status, lines=lines, decided_at=at, rescue_at=None
        )
        return decided, _decision(decided, units, at)

    def _released(self, answer: Answer) -> tuple[CancellationLine, ...]:
        released = {line.line: line.released for line in answer.lines}
        lines = tuple(
            replace(line, cancelled=released.pop(line.line, 0)) for line in self.lines
        )
        if any(released.values()) or any(
            line.cancelled > line.quantity for line in lines
        ):
            raise Contradiction(f"{self.lines} were asked for, and {answer} given")
        return lines


def cancellation_id(order: UUID, client: str, key: str) -> UUID:
    return uuid5(_CANCELLATIONS, f"{order} {client} {key}")


def request_cancellation(  # noqa: PLR0913 - each by its name
    order: Order,
    wanted: Sequence[Units] | None,
    others: Sequence[Cancellation],
    *,
    id: UUID,
    reason: str | None,
    at: datetime,
) -> tuple[Order, Cancellation, Numbered]:
    """Ask for these units, or for all that can still be cancelled."""
    if len(others) >= MOST_CANCELLATIONS:
        raise TooManyCancellations(f"An order has at most {MOST_CANCELLATIONS}.")
    free = _cancellable(order, others)
    asked = _all(free) if wanted is None else _these(order, wanted, free)
    cancellation = Cancellation(
        id=id,
        order_id=order.id,
        sequence=order.sequence + 1,
        lines=tuple(
            CancellationLine(line=units.line, quantity=units.quantity)
            for units in asked
        ),
        reason=reason,
        requested_at=at,
    )
    asking, numbered = order.announcing(cancellation.request, at)
    return asking, cancellation, numbered


def _cancellable(order: Order, others: Iterable[Cancellation]) -> Counter[int]:
    """The open units of each line that no other open cancellation asks for."""
    if order.status is Status.REJECTED:
        raise OrderRejected("The order was rejected: nothing of it will be delivered.")
    if order.status not in MAY_BE_CANCELLED:
        raise NothingToCancel(f"The order is {order.status}: nothing of it is open.")
    free = Counter({line.line: line.open for line in order.lines})
    for other in others:
        if other.is_open:
            free.subtract({line.line: line.quantity for line in other.lines})
    return free


def _all(free: Counter[int]) -> list[Units]:
    units = [Units(line=n, quantity=left) for n, left in free.items() if left > 0]
    if not units:
        raise NothingToCancel("All open units are being cancelled already.")
    return units


def _these(
    order: Order, wanted: Sequence[Units], free: Counter[int]
) -> Sequence[Units]:
    order.check_lines(wanted)
    faults = list(excess(wanted, free, "can still be cancelled"))
    if faults:
        raise MoreThanOpen("More units than are open.", faults=faults)
    return wanted


def _decision(
    decided: Cancellation, units: tuple[Units, ...], at: datetime
) -> Cancelled | CancellationRefused:
    if not units:
        return CancellationRefused(
            order_id=decided.order_id, cancellation_id=decided.id, refused_at=at
        )
    return Cancelled(
        order_id=decided.order_id,
        cancellation_id=decided.id,
        lines=units,
        complete=decided.status is CancellationStatus.COMPLETED,
        cancelled_at=at,
    )
