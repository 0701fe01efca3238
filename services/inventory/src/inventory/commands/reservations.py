"""Give stock to orders, and take it back."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar
from uuid import UUID

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
from inventory.commands.levels import watch_levels
from inventory.domain.allocation import Served, fill, reserve
from inventory.domain.cancellations import Tombstone
from inventory.domain.holds import Hold, HoldStatus
from inventory.domain.products import KnownProduct
from inventory.domain.reservations import Reservation, State
from inventory.domain.stock import Movement, available, left
from inventory.store import history, holds, products, reservations, stock

M = TypeVar("M", bound=BaseModel)

log = structlog.get_logger(__name__)

ORDERS = "orders"  # who moves stock by what it announces
NOTHING: Mapping[str, int] = {}

UNITS_RESERVED = metrics.counter(
    "orderly.units.reserved", "{unit}", "Units kept for orders"
)
UNITS_SHORT = metrics.counter(
    "orderly.units.short", "{unit}", "Units that orders asked for and will not get"
)
ORDERS_SHORT = metrics.counter(
    "orderly.orders.short",
    "{order}",
    "Orders that do not get all they asked for",
    watched=True,
)


async def reserve_orders(
    tx: Tx, placed: Sequence[Reservation], freed: Mapping[str, int] = NOTHING
) -> None:
    """Decide new orders together; answer known ones with how they stand.

    What was `freed` just before is for those who wait already.
    """
    named = {order.hold_id for order in placed if order.hold_id}
    wanted = {line.sku for order in placed for line in order.lines} | freed.keys()
    known = await products.hold(tx, wanted | await holds.find_skus(tx, named))
    locked = await reservations.hold(tx, [order.order_id for order in placed])
    new = [
        replace(order, version=locked[order.order_id].version)
        for order in placed
        if locked[order.order_id].state is State.AWAITED
    ]
    served, filled = await _serve(tx, await _without_cancelled(tx, new), known, freed)
    decided = [order.reservation for order in served]
    repeated = locked.keys() - {order.order_id for order in new}
    answers = [*await reservations.get(tx, repeated), *decided, *filled]
    await outbox.publish(tx, [snapshot(reservation) for reservation in answers])
    after_commit(tx, partial(_count, decided))


async def _without_cancelled(tx: Tx, new: Sequence[Reservation]) -> list[Reservation]:
    """Leave out what was cancelled before its order came: what has a version then."""
    overtaken = await history.get(tx, [o.order_id for o in new if o.version])
    return [
        order.overtaken_by(overtaken[order.order_id].cancellations) for order in new
    ]


async def _serve(
    tx: Tx,
    new: Sequence[Reservation],
    known: Mapping[str, KnownProduct],
    freed: Mapping[str, int],
) -> tuple[list[Served], list[Reservation]]:
    """Give new orders their units, and what their holds leave over to who waits."""
    named = await _named_holds(tx, new, known)
    shelves = await stock.get(tx, known)
    waiting = await _waiting_for(tx, named.values(), freed)
    served = reserve(new, known, shelves, named, waiting)
    moves = await _keep(tx, served, actor=ORDERS)
    if freed or any(order.took_over for order in served):
        return served, await fill_backorders(tx, known, actor=ORDERS)
    await watch_levels(tx, known, left(shelves, moves))
    return served, []


async def _named_holds(
    tx: Tx, new: Sequence[Reservation], known: Mapping[str, KnownProduct]
) -> dict[UUID, Hold]:
    found = await holds.get(tx, {order.hold_id for order in new if order.hold_id})
    # One that was not there yet when we asked for its products is not ours to change.
    return {
        hold.id: hold
        for hold in found.values()
        if hold.quantities.keys() <= known.keys()
    }


async def _waiting_for(
    tx: Tx, named: Iterable[Hold], freed: Mapping[str, int]
) -> dict[str, int]:
    """How much of what was freed, or the holds may leave over, is others' already."""
    units = Counter(freed)
    for held in (held for hold in named for held in hold.units):
        units[held.sku] += held.reserved
    return await reservations.count_waiting(tx, units) if units else {}


async def fill_backorders(
    tx: Tx, known: Mapping[str, KnownProduct], *, actor: str
) -> list[Reservation]:
    """Give what is free of held products to those who wait for it, oldest first.

    Every command that changes what is free ends with it: it also notices what has run
    low.
    """
    shelves = await stock.get(tx, known)
    reached = await reservations.find_first_in_line(tx, available(shelves))
    await reservations.hold(tx, reached)
    served = fill(await reservations.get(tx, reached), known, shelves)
    moves = await _keep(tx, served, actor=actor)
    await watch_levels(tx, known, left(shelves, moves))
    return [order.reservation for order in served]


async def _keep(tx: Tx, served: Sequence[Served], *, actor: str) -> list[Movement]:
    moves = [movement for order in served for movement in order.movements]
    kept = [units for order in served for units in order.allocations]
    await stock.move(tx, moves, actor=actor)
    await reservations.allocate(tx, kept)
    await reservations.save(tx, [order.reservation for order in served])
    took_over = {
        order.took_over.id: order.reservation.order_id
        for order in served
        if order.took_over
    }
    await holds.end(tx, took_over, HoldStatus.CONSUMED, orders=took_over)
    units = sum(allocation.reserved for allocation in kept)
    after_commit(tx, partial(UNITS_RESERVED.add, units))
    return moves


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
                cost_currency=line.cost_currency,
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
