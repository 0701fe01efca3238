"""Change what there is."""

from chassis import outbox
from chassis.database import Tx
from chassis.errors import Fault
from chassis.events import Announcement
from contracts.inventory import (
    ReceivedGoods,
    StockReceived,
)
from inventory.commands.reservations import fill_backorders, snapshot
from inventory.domain.products import (
    UnknownLocation,
)
from inventory.domain.stock import Delivery, Receipt
from inventory.store import products, stock


async def receive_goods(tx: Tx, delivery: Delivery, *, actor: str) -> Receipt:
    """Take goods in, and give them to the orders that wait for them."""
    if await products.get_location(tx, delivery.location) is None:
        missing = Fault("/location", f"There is no location {delivery.location}.")
        raise UnknownLocation("Goods come in at a location.", faults=[missing])
    known = await products.hold(tx, [line.sku for line in delivery.lines])
    receipt = delivery.valued(known)
    await stock.add_receipt(tx, receipt, actor=actor)
    await stock.add(tx, receipt.location, known)
    await stock.move(tx, receipt.movements, actor=actor)
    filled = await fill_backorders(tx, known, actor=actor)
    await outbox.publish(tx, [_stock_received(receipt), *map(snapshot, filled)])
    return receipt


def _stock_received(receipt: Receipt) -> Announcement:
    event = StockReceived(
        receipt_id=receipt.id,
        location=receipt.location,
        reference=receipt.reference,
        lines=tuple(
            ReceivedGoods(
                sku=line.sku,
                quantity=line.quantity,
                unit_cost=line.unit_cost,
                standard_cost=line.standard_cost,
                currency=line.currency,
            )
            for line in receipt.lines
        ),
        received_at=receipt.received_at,
    )
    return Announcement(event, subject=str(receipt.id))
