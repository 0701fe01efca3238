"""Send off what is kept for orders."""

from functools import partial

from chassis import metrics, outbox
from chassis.database import Tx, after_commit
from inventory.commands.locking import hold_order
from inventory.commands.reservations import snapshot
from inventory.domain.history import Shipment
from inventory.domain.shipments import Parcel, ship
from inventory.store import history, reservations, stock

UNITS_SHIPPED = metrics.counter("orderly.units.shipped", "{unit}", "Units that left")


async def ship_units(tx: Tx, parcel: Parcel, *, actor: str) -> Shipment:
    """Send a parcel off; what leaves is no longer on hand, and costs what it does now.

    Nothing becomes free: what leaves was kept for this order.
    """
    known, order = await hold_order(tx, parcel.order_id)
    kept = await reservations.get_allocations(tx, [order.order_id])
    shipped = ship(order, parcel, kept.get(order.order_id, []), known)
    await stock.move(tx, shipped.movements, actor=actor)
    await reservations.ship(tx, shipped.taken)
    await reservations.save(tx, [shipped.reservation])
    number = len(shipped.reservation.history.shipments)
    await history.add_shipment(tx, shipped.shipment, number=number, actor=actor)
    await outbox.publish(tx, [snapshot(shipped.reservation)])
    units = sum(line.quantity for line in shipped.shipment.lines)
    after_commit(tx, partial(UNITS_SHIPPED.add, units))
    return shipped.shipment
