"""Answer cancellations: what has not shipped is released."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from uuid import UUID

import structlog
from msgspec import Struct, field

from chassis import metrics
from chassis.database import Tx, after_commit
from inventory.commands.locking import Held
from inventory.domain.cancellations import (
    CancellationRequest,
    Tombstone,
    cancel,
    void,
)
from inventory.domain.history import Cancellation
from inventory.domain.reservations import Allocation, Reservation
from inventory.store import reservations

log = structlog.get_logger(__name__)

UNITS_RELEASED = metrics.counter(
    "orderly.units.released", "{unit}", "Units that cancellations got"
)

Requests = Mapping[UUID, Sequence[CancellationRequest]]


class Answered(Struct, frozen=True):
    """Orders after their cancellations, and the units of each SKU that are free now."""

    reservations: dict[UUID, Reservation] = field(default_factory=dict)
    tombstones: dict[UUID, Tombstone] = field(default_factory=dict)
    freed: Mapping[str, int] = field(default_factory=dict)


async def cancel_units(
    tx: Tx, asked: Collection[CancellationRequest], held: Held, *, actor: str
) -> Answered:
    """Answer each with a new version, also when nothing is left to be released."""
    if not asked:
        return Answered()
    requests = _by_order(asked)
    cancelled = [
        cancel(order, requests[order_id], held.allocations[order_id])
        for order_id, order in held.reservations.items()
        if order_id in requests
    ]
    voided = [
        void(stone, requests[order_id])
        for order_id, stone in held.awaited.items()
        if order_id in requests
    ]
    answers = [
        *_numbered((one.reservation, one.answers) for one in cancelled),
        *_numbered(voided),
    ]
    stones = [stone for stone, _ in voided]
    await reservations.save_cancelled(tx, cancelled, stones, answers, actor=actor)
    after_commit(tx, partial(_record, [answer for _, _, answer in answers]))
    return Answered(
        reservations={one.reservation.order_id: one.reservation for one in cancelled},
        tombstones={stone.order_id: stone for stone in stones},
        freed=_units(units for one in cancelled for units in one.freed),
    )


def _by_order(asked: Iterable[CancellationRequest]) -> Requests:
    requests: defaultdict[UUID, list[CancellationRequest]] = defaultdict(list)
    for request in asked:
        requests[request.order_id].append(request)
    return requests


def _numbered(
    orders: Iterable[tuple[Reservation | Tombstone, Sequence[Cancellation]]],
) -> Iterator[tuple[UUID, int, Cancellation]]:
    """What was answered of each order, with its number among its order's."""
    for order, new in orders:
        first = len(order.history.cancellations) - len(new) + 1
        for number, answer in enumerate(new, first):
            yield order.order_id, number, answer


def _units(freed: Iterable[Allocation]) -> Mapping[str, int]:
    units: Counter[str] = Counter()
    for allocation in freed:
        units[allocation.sku] += allocation.reserved
    return units


def _record(answers: Sequence[Cancellation]) -> None:
    if answers:
        released = sum(line.released for answer in answers for line in answer.lines)
        UNITS_RELEASED.add(released)
        log.info("Cancellations answered", count=len(answers), released=released)
