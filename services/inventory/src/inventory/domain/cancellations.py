"""What can still be cancelled: whatever has not shipped, once for each cancellation."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from inventory.domain.history import (
    MOST_CANCELLATIONS,
    MOST_CANCELLED_LINES,
    NOTHING_YET,
    Cancellation,
    History,
    ReleasedLine,
)
from inventory.domain.reservations import (
    Allocation,
    Cause,
    Line,
    Reservation,
    State,
    portions,
)
from inventory.domain.stock import Movement, MovementKind


class CancellationRequest(Struct, frozen=True, kw_only=True):
    """So many units of each line are not wanted any more."""

    cancellation_id: UUID
    order_id: UUID
    units: Mapping[int, int]


class Cancelled(Struct, frozen=True):
    """A reservation after its cancellations, their answers, and what is free again."""

    reservation: Reservation
    answers: tuple[Cancellation, ...]
    freed: tuple[Allocation, ...]

    @property
    def movements(self) -> list[Movement]:
        return [
            Movement(
                location=units.location,
                sku=units.sku,
                reserved_change=-units.reserved,
                kind=MovementKind.RELEASE,
                reference=str(units.order_id),
            )
            for units in self.freed
        ]


class Tombstone(Struct, frozen=True, kw_only=True):
    """What is cancelled of an order that has not come: the late order gets the rest."""

    order_id: UUID
    version: int
    history: History = NOTHING_YET
    cause: Cause = Cause.CANCELLED

    # What the order is going to say.
    state = State.AWAITED
    policy = placed_at = None

    @property
    def lines(self) -> tuple[Line, ...]:
        return tuple(
            Line(line=number, sku="", requested=units, voided=units)
            for number, units in sorted(self.history.released.items())
        )


def cancel(
    reservation: Reservation,
    requests: Iterable[CancellationRequest],
    kept: Sequence[Allocation],
) -> Cancelled:
    """Release what has not shipped; the places that are preferred are left the last.

    It is a new version also when there was nothing to release, or nothing new to say.
    """
    before = {line.line: line for line in reservation.lines}
    after, history = dict(before), reservation.history
    for request in requests:
        history = _answer(history, request, after)
    freed = {n: line.reserved - after[n].reserved for n, line in before.items()}
    return Cancelled(
        reservation.become(Cause.CANCELLED, after, history),
        _new_in(history, reservation.history),
        portions(reversed(kept), freed),
    )


def void(
    tombstone: Tombstone, requests: Iterable[CancellationRequest]
) -> tuple[Tombstone, tuple[Cancellation, ...]]:
    """Cancel what an order is going to ask for, whatever that is."""
    history = tombstone.history
    for request in requests:
        unknown = {
            number: Line(line=number, sku="", requested=units, backordered=units)
            for number, units in request.units.items()
        }
        history = _answer(history, request, unknown)
    later = replace(tombstone, version=tombstone.version + 1, history=history)
    return later, _new_in(history, tombstone.history)


def _answer(
    history: History, request: CancellationRequest, lines: dict[int, Line]
) -> History:
    """With the request answered, and the lines as they are then; once for ever."""
    if history.has_answered(request.cancellation_id):
        return history
    released = []
    for number, asked in _bounded(history, request):
        before = lines.get(number)
        if before:
            lines[number] = before.release(asked)
        units = lines[number].released - before.released if before else 0
        released.append(ReleasedLine(line=number, asked=asked, released=units))
    answer = Cancellation(
        cancellation_id=request.cancellation_id, lines=tuple(released)
    )
    return replace(history, cancellations=(*history.cancellations, answer))


def _bounded(
    history: History, request: CancellationRequest
) -> Iterable[tuple[int, int]]:
    """What is asked for, in line order; nothing, where an answer could not be told."""
    lines = sum(len(earlier.lines) for earlier in history.cancellations)
    if (
        len(history.cancellations) >= MOST_CANCELLATIONS
        or lines + len(request.units) > MOST_CANCELLED_LINES
    ):
        return []
    return sorted(request.units.items())


def _new_in(history: History, before: History) -> tuple[Cancellation, ...]:
    return history.cancellations[len(before.cancellations) :]
