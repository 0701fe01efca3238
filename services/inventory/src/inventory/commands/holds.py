"""Keep units for a checkout, and free them when there is no order."""

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from chassis import metrics, outbox
from chassis.database import Tx, after_commit, announce
from inventory.commands.levels import watch_levels
from inventory.commands.reservations import fill_backorders, snapshot
from inventory.domain import allocation
from inventory.domain.holds import Hold, HoldConsumed, HoldNotFound, HoldStatus
from inventory.domain.products import KnownProduct
from inventory.domain.stock import left
from inventory.store import holds, products, stock

SWEEPER = "inventory"  # who moves stock when a hold has run out

HOLDS_EXPIRED = metrics.counter(
    "orderly.holds.expired", "{hold}", "Holds that ran out without an order"
)


async def hold_units(tx: Tx, wanted: Hold, *, actor: str) -> Hold:
    """Keep all that is wanted until it expires, or nothing."""
    known = await products.hold(tx, wanted.quantities)
    shelves = await stock.get(tx, known)
    hold = allocation.hold(wanted, known, shelves)
    await stock.move(tx, [units.kept for units in hold.units], actor=actor)
    await holds.add(tx, hold, actor=actor)
    await watch_levels(tx, known, left(shelves, hold.units))
    announce(tx, [str(hold.id)])  # no event tells a sweeper at rest of it
    return hold


async def get_hold(tx: Tx, hold_id: UUID, *, customer_id: str | None) -> Hold:
    """A customer's own, or for staff and storefronts anybody's."""
    hold = (await holds.get(tx, [hold_id])).get(hold_id)
    if hold is None or customer_id not in {None, hold.customer_id}:
        raise HoldNotFound(f"There is no hold {hold_id}.")
    return hold


async def release_hold(
    tx: Tx, hold_id: UUID, *, customer_id: str | None, actor: str
) -> None:
    """Free what it keeps; one that keeps nothing any more is left as it is."""
    known = await products.hold(tx, await holds.find_skus(tx, [hold_id]))
    hold = await get_hold(tx, hold_id, customer_id=customer_id)
    if hold.status is HoldStatus.CONSUMED:
        raise HoldConsumed("An order has taken this hold over: cancel the order.")
    if hold.status is HoldStatus.HELD:
        await _end(tx, [hold], HoldStatus.RELEASED, known, actor=actor)


async def expire_holds(tx: Tx, before: datetime, *, most: int) -> int:
    """Free what was held until then and found no order; answers how many there were."""
    due = await holds.find_due(tx, before, most=most)
    if not due:
        return 0
    known = await products.hold(tx, await holds.find_skus(tx, due))
    # Another process may have ended some while we waited for their products.
    found = (await holds.get(tx, due)).values()
    ran_out = [hold for hold in found if hold.status is HoldStatus.HELD]
    await _end(tx, ran_out, HoldStatus.EXPIRED, known, actor=SWEEPER)
    after_commit(tx, lambda: HOLDS_EXPIRED.add(len(ran_out)))
    return len(due)


async def _end(
    tx: Tx,
    ending: Collection[Hold],
    status: HoldStatus,
    known: Mapping[str, KnownProduct],
    *,
    actor: str,
) -> None:
    freed = [units.freed for hold in ending for units in hold.units]
    await stock.move(tx, freed, actor=actor)
    await holds.end(tx, [hold.id for hold in ending], status)
    filled = await fill_backorders(tx, known, actor=actor)
    await outbox.publish(tx, [snapshot(order) for order in filled])
