"""Give stock to orders, and take it back."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from uuid import UUID

import structlog
from msgspec import Struct

from chassis import metrics, outbox
from chassis.database import Tx, after_commit
from chassis.events import Announcement
from contracts.inventory import ReservationChanged
from inventory.commands.cancelling import cancel_units
from inventory.commands.levels import watch_levels
from inventory.commands.locking import Held, hold_orders
from inventory.domain.allocation import Served, fill, reserve
from inventory.domain.cancellations import CancellationRequest, Tombstone
from inventory.domain.history import Cancellation, ReturnReceipt, Shipment
from inventory.domain.holds import Hold, HoldStatus
from inventory.domain.products import KnownProduct
from inventory.domain.reservations import Allocation, Line, Reservation
from inventory.domain.stock import Shelf, available, left, moved
from inventory.store import holds, reservations, stock, waiting

log = structlog.get_logger(__name__)

ORDERS = "orders"  # who moves stock by what it announces

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
    tx: Tx,
    placed: Sequence[Reservation],
    asked: Collection[CancellationRequest] = (),
) -> None:
    """Decide new orders together; answer known ones with how they stand.

    Cancellations come first: what they release, or spare, is there for the orders, but
    for what others wait for already. Backorders are filled once, at the end: their
    orders are locked in one order too.
    """
    held = await hold_orders(tx, {request.order_id for request in asked}, placed)
    answered = await cancel_units(tx, asked, held, actor=ORDERS)
    new = _new(placed, held.awaited | answered.tombstones)
    served, filled = await _serve(tx, new, held, answered.freed)
    decided = [order.reservation for order in served]
    answers = [*answered.reservations.values(), *decided, *filled]
    stands = held.reservations | {order.order_id: order for order in answers}
    known = [order.order_id for order in placed if order.order_id in held.reservations]
    repeated = [stands[order_id] for order_id in known]
    await outbox.publish(
        tx,
        [
            *map(snapshot, answered.tombstones.values()),
            *map(snapshot, answers + repeated),
        ],
    )
    if placed:
        after_commit(tx, partial(_count, decided))


def _new(
    placed: Iterable[Reservation], awaited: Mapping[UUID, Tombstone]
) -> list[Reservation]:
    """Those that were awaited, without what was cancelled before they came."""
    return [
        order.overtaken_by(stone.version, stone.history) if stone.version else order
        for order in placed
        if (stone := awaited.get(order.order_id))
    ]


async def _serve(
    tx: Tx, new: Sequence[Reservation], held: Held, freed: Mapping[str, int]
) -> tuple[list[Served], list[Reservation]]:
    """Give new orders their units, and who waits what is left of what was freed."""
    if not (new or freed):
        return [], []
    known = held.products
    shelves = await stock.get(tx, known)
    served = await _reserve(tx, new, held, shelves, freed) if new else []
    if freed or any(order.took_over for order in served):
        moves = [move for order in served for move in order.movements]
        return served, await _fill(tx, known, moved(shelves, moves), actor=ORDERS)
    await watch_levels(tx, known, left(shelves, _kept(served)))
    return served, []


async def _reserve(
    tx: Tx,
    new: Sequence[Reservation],
    held: Held,
    shelves: Sequence[Shelf],
    freed: Mapping[str, int],
) -> list[Served]:
    named = await _named_holds(tx, new, held.products)
    theirs = await _waiting_for(tx, named.values(), freed)
    served = reserve(new, held.products, shelves, named, theirs)
    await _end_holds(tx, served)
    await reservations.add(tx, served, opened=held.opened, actor=ORDERS)
    _count_kept(tx, _kept(served))
    return served


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
    return await waiting.count(tx, units) if units else {}


async def fill_backorders(
    tx: Tx, known: Mapping[str, KnownProduct], *, actor: str
) -> list[Reservation]:
    """Give what is free of held products to those who wait for it, oldest first.

    Every command that changes what is free ends with it: it also notices what has run
    low.
    """
    return await _fill(tx, known, await stock.get(tx, known), actor=actor)


async def _fill(
    tx: Tx,
    known: Mapping[str, KnownProduct],
    shelves: Sequence[Shelf],
    *,
    actor: str,
) -> list[Reservation]:
    reached = await waiting.hold_first(tx, available(shelves))
    served = fill(await reservations.get(tx, reached), known, shelves)
    filled, kept = [order.reservation for order in served], _kept(served)
    moves = [units.movement for units in kept]
    await reservations.save(tx, filled, kept, moves=moves, actor=actor)
    _count_kept(tx, kept)
    await watch_levels(tx, known, left(shelves, kept))
    return filled


async def _end_holds(tx: Tx, served: Sequence[Served]) -> None:
    """Those that were taken over; what they kept is free."""
    taken = {
        order.took_over: order.reservation.order_id
        for order in served
        if order.took_over
    }
    if taken:
        freed = [units.freed for hold in taken for units in hold.units]
        await stock.move(tx, freed, actor=ORDERS)
        orders = {hold.id: order_id for hold, order_id in taken.items()}
        await holds.end(tx, orders, HoldStatus.CONSUMED, orders=orders)


def _kept(served: Iterable[Served]) -> list[Allocation]:
    return [units for order in served for units in order.allocations]


def _count_kept(tx: Tx, kept: Iterable[Allocation]) -> None:
    units = sum(allocation.reserved for allocation in kept)
    after_commit(tx, partial(UNITS_RESERVED.add, units))


def _count(decided: Sequence[Reservation]) -> None:
    short = [units for order in decided if (units := order.short)]
    ORDERS_SHORT.add(len(short))
    UNITS_SHORT.add(sum(short))
    log.info("Orders served", orders=len(decided), short=len(short))


class _Snapshot(Struct, frozen=True):
    """What `ReservationChanged` tells of a reservation."""

    order_id: UUID
    version: int
    cause: str
    lines: Sequence[Line]
    cancellations: Sequence[Cancellation]
    shipments: Sequence[Shipment]
    returns: Sequence[ReturnReceipt]


def snapshot(reservation: Reservation | Tombstone) -> Announcement:
    past = reservation.history
    told = _Snapshot(
        order_id=reservation.order_id,
        version=reservation.version,
        cause=reservation.cause.value,
        lines=[line.told for line in reservation.lines],
        cancellations=past.cancellations,
        shipments=past.shipments,
        returns=past.returns,
    )
    return Announcement(told, str(reservation.order_id), kind=ReservationChanged)
