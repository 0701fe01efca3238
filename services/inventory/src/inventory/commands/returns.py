"""Take goods back from customers."""

from functools import partial

from chassis import metrics, outbox
from chassis.database import Tx, after_commit
from chassis.errors import Fault
from inventory.commands.locking import hold_order
from inventory.commands.reservations import fill_backorders, snapshot
from inventory.domain.history import ReturnReceipt
from inventory.domain.products import UnknownLocation
from inventory.domain.returns import ReturnedParcel, take_back
from inventory.store import history, products, reservations, stock

UNITS_RETURNED = metrics.counter(
    "orderly.units.returned", "{unit}", "Units that came back, by their condition"
)


async def receive_return(
    tx: Tx, parcel: ReturnedParcel, *, actor: str
) -> ReturnReceipt:
    """Take units back; what can be sold again goes to the orders that wait for it."""
    if await products.get_location(tx, parcel.location) is None:
        missing = Fault("/location", f"There is no location {parcel.location}.")
        raise UnknownLocation("Goods come back at a location.", faults=[missing])
    known, order, _ = await hold_order(tx, parcel.order_id)
    returned = take_back(order, parcel, known)
    moves = returned.movements
    await stock.add(tx, parcel.location, {movement.sku for movement in moves})
    await reservations.save(tx, [returned.reservation], moves=moves, actor=actor)
    number = len(returned.reservation.history.returns)
    await history.add_return(tx, returned.receipt, number=number, actor=actor)
    more = {sku: known[sku] for sku in returned.resellable}
    filled = await fill_backorders(tx, more, actor=actor)
    await outbox.publish(tx, [snapshot(o) for o in (returned.reservation, *filled)])
    after_commit(tx, partial(_count, returned.receipt))
    return returned.receipt


def _count(receipt: ReturnReceipt) -> None:
    for line in receipt.lines:
        UNITS_RETURNED.add(line.quantity, {"condition": line.condition})
