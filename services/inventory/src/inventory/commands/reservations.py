"""Give stock to orders, and take it back."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

import structlog
from pydantic import BaseModel

from chassis import metrics, outbox
from chassis.database import Tx, after_commit
from chassis.events import Announcement
from contracts.inventory import (
    AnsweredCancellation,
    ReceivedReturn,
    ReservationChanged,
    ReservedLine,
    Shipment,
)
from inventory.domain.cancellations import Tombstone
from inventory.domain.reservations import Reservation, Served, State, fill, reserve
from inventory.domain.stock import available
from inventory.store import history, products, reservations, stock

M = TypeVar("M", bound=BaseModel)

log = structlog.get_logger(__name__)

ORDERS = "orders"  # who moves stock by what it announces

UNITS_RESERVED = metrics.counter(
    "orderly.units.reserved", "{unit}", "Units kept for orders"
)
UNITS_SHORT = metrics.counter(
    "orderly.units.short", "{unit}", "Units that orders asked for and will not get"
)
ORDERS_SHORT = metrics.counter(
    "orderly.orders.short", "{order}", "Orders that do not get all they asked for"
)


async def reserve_orders(tx: Tx, placed: Sequence[Reservation]) -> None:
    """Decide new orders together; answer known ones with how they stand."""
    skus = await products.hold(
        tx, {line.sku for order in placed for line in order.lines}
    )
    held = await reservations.hold(tx, [order.order_id for order in placed])
    new = [
        replace(order, version=held[order.order_id].version)
        for order in placed
        if held[order.order_id].state is State.AWAITED
    ]
    known = held.keys() - {order.order_id for order in new}
    served = reserve(await _without_cancelled(tx, new), skus, await stock.get(tx, skus))
    await _keep(tx, served, actor=ORDERS)
    decided = [order.reservation for order in served]
    answers = [*await reservations.get(tx, known), *decided]
    await outbox.publish(tx, [snapshot(reservation) for reservation in answers])
    after_commit(tx, partial(_count, decided))


async def _without_cancelled(tx: Tx, new: Sequence[Reservation]) -> list[Reservation]:
    """Leave out what was cancelled before its order came: what has a version then."""
    overtaken = await history.get(tx, [o.order_id for o in new if o.version])
    return [
        order.overtaken_by(overtaken[order.order_id].cancellations) for order in new
    ]


async def fill_backorders(
    tx: Tx, skus: Collection[str], *, actor: str
) -> list[Reservation]:
    """Give what is free of held products to those who wait for it, oldest first."""
    shelves = await stock.get(tx, skus)
    reached = await reservations.find_first_in_line(tx, available(shelves))
    if not reached:
        return []
    await reservations.hold(tx, reached)
    served = fill(await reservations.get(tx, reached), skus, shelves)
    await _keep(tx, served, actor=actor)
    return [order.reservation for order in served]


async def _keep(tx: Tx, served: Sequence[Served], *, actor: str) -> None:
    kept = [units for order in served for units in order.allocations]
    await stock.move(tx, [units.movement for units in kept], actor=actor)
    await reservations.allocate(tx, kept)
    await reservations.save(tx, [order.reservation for order in served])
    units = sum(allocation.reserved for allocation in kept)
    after_commit(tx, partial(UNITS_RESERVED.add, units))


def _count(decided: Sequence[Reservation]) -> None:
    short = [units for order in decided if (units := order.short)]
    ORDERS_SHORT.add(len(short))
    UNITS_SHORT.add(sum(short))
    log.info("Orders served", orders=len(decided), short=len(short))


def snapshot(reservation: Reservation | Tombstone) -> Announcement:
    past = reservation.history
    event = ReservationChanged(
        order_id=reservation.order_id,
        version=reservation.version,
        cause=reservation.cause,
        lines=tuple(
            ReservedLine(
                line=line.line,
                requested=line.requested,
                reserved=line.reserved,
                backordered=line.backordered,
                shipped=line.shipped,
                released=line.released + line.voided,
                returned=line.returned,
                cost_shipped=line.cost_shipped,
                cost_returned=line.cost_returned,
            )
            for line in reservation.lines
        ),
        cancellations=_told(AnsweredCancellation, past.cancellations),
        shipments=_told(Shipment, past.shipments),
        returns=_told(ReceivedReturn, past.returns),
    )
    return Announcement(event, subject=str(reservation.order_id))


def _told(model: type[M], facts: Sequence[object]) -> tuple[M, ...]:
    return tuple(model.model_validate(fact, from_attributes=True) for fact in facts)
