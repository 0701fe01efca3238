"""Answer cancellations: what has not shipped is released, and others get it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from uuid import UUID

import structlog

from chassis import metrics, outbox
from chassis.database import Tx, after_commit
from inventory.commands.locking import hold_orders
from inventory.commands.reservations import ORDERS, fill_backorders, snapshot
from inventory.domain.cancellations import (
    CancellationRequest,
    Cancelled,
    Tombstone,
    cancel,
    void,
)
from inventory.domain.history import Cancellation, History
from inventory.store import history, reservations, stock

log = structlog.get_logger(__name__)

UNITS_RELEASED = metrics.counter(
    "orderly.units.released", "{unit}", "Units that cancellations got"
)

Requests = Mapping[UUID, Sequence[CancellationRequest]]
Answered = tuple[History, Sequence[Cancellation]]


async def cancel_units(
    tx: Tx, asked: Iterable[CancellationRequest], *, fill: bool = True
) -> Mapping[str, int]:
    """Answer each with a new version, also when nothing is left to be released.

    Returns the units of each SKU that it freed; who does not have them filled here does
    it later.
    """
    requests = _by_order(asked)
    known, held = await hold_orders(tx, requests)
    cancelled = await _cancel_known(tx, requests)
    awaited = requests.keys() - {c.reservation.order_id for c in cancelled}
    voided = await _void_awaited(
        tx, requests, {order_id: held[order_id].version for order_id in awaited}
    )
    freed: Counter[str] = Counter()
    for units in (units for order in cancelled for units in order.freed):
        freed[units.sku] += units.reserved
    answered = [order.reservation for order in cancelled]
    if freed and fill:
        products = {sku: known[sku] for sku in freed}
        answered += await fill_backorders(tx, products, actor=ORDERS)
    await outbox.publish(tx, [*map(snapshot, answered), *map(snapshot, voided)])
    return freed


def _by_order(asked: Iterable[CancellationRequest]) -> Requests:
    requests: defaultdict[UUID, list[CancellationRequest]] = defaultdict(list)
    for request in asked:
        requests[request.order_id].append(request)
    return requests


async def _cancel_known(tx: Tx, requests: Requests) -> list[Cancelled]:
    known = await reservations.get(tx, requests.keys())
    kept = await reservations.get_allocations(tx, [order.order_id for order in known])
    cancelled = [
        cancel(order, requests[order.order_id], kept.get(order.order_id, []))
        for order in known
    ]
    freed = [units for order in cancelled for units in order.freed]
    await stock.move(tx, [m for c in cancelled for m in c.movements], actor=ORDERS)
    await reservations.release(tx, freed)
    await reservations.save(tx, [order.reservation for order in cancelled])
    await _add(
        tx,
        {
            order.reservation.order_id: (order.reservation.history, order.answers)
            for order in cancelled
        },
    )
    return cancelled


async def _void_awaited(
    tx: Tx, requests: Requests, versions: Mapping[UUID, int]
) -> list[Tombstone]:
    earlier = await history.get(tx, versions.keys())
    voided = [
        void(
            Tombstone(order_id=order_id, version=version, history=earlier[order_id]),
            requests[order_id],
        )
        for order_id, version in versions.items()
    ]
    tombstones = [tombstone for tombstone, _ in voided]
    await reservations.save_tombstones(tx, tombstones)
    await _add(tx, {stone.order_id: (stone.history, new) for stone, new in voided})
    return tombstones


async def _add(tx: Tx, answered: Mapping[UUID, Answered]) -> None:
    rows = [
        (order_id, number, answer)
        for order_id, (after, new) in answered.items()
        for number, answer in enumerate(new, len(after.cancellations) - len(new) + 1)
    ]
    await history.add_cancellations(tx, rows)
    answers = [answer for _, _, answer in rows]
    units = sum(line.released for answer in answers for line in answer.lines)
    after_commit(tx, partial(_record, len(answers), units))


def _record(cancellations: int, released: int) -> None:
    if cancellations:
        UNITS_RELEASED.add(released)
        log.info("Cancellations answered", count=cancellations, released=released)
