"""Send off what is kept for orders."""

from functools import partial

from chassis import metrics, outbox
from chassis.database import Tx, after_commit
from inventory.commands.locking import hold_order
from inventory.commands.reservations import snapshot
from inventory.domain.history import Shipment
from inventory.domain.shipments import Parcel, ship
from inventory.store import history, reservations

UNITS_SHIPPED = metrics.counter("orderly.units.shipped", "{unit}", "Units that left")


async def ship_units(tx: Tx, parcel: Parcel, *, actor: str) -> Shipment:
    """Send a parcel off; what leaves is no longer on hand, and costs what it does now.

    Nothing becomes free: what leaves was kept for this order.
    """
    known, order, kept = await hold_order(tx, parcel.order_id)
    shipped = ship(order, parcel, kept, known)
    await reservations.ship(tx, shipped.taken)
    moves = shipped.movements
    await reservations.save(tx, [shipped.reservation], moves=moves, actor=actor)
    number = len(shipped.reservation.history.shipments)
    await history.add_shipment(tx, shipped.shipment, number=number, actor=actor)
    await outbox.publish(tx, [snapshot(shipped.reservation)])
    units = sum(line.quantity for line in shipped.shipment.lines)
    after_commit(tx, partial(UNITS_SHIPPED.add, units))
    return shipped.shipment
