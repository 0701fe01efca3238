"""Change what there is."""

from chassis import outbox
from chassis.database import Tx
from chassis.errors import Fault
from chassis.events import Announcement
from contracts.inventory import ReceivedGoods, StockAdjusted, StockReceived
from inventory.commands.reservations import fill_backorders, snapshot
from inventory.domain.products import Product, UnknownLocation, UnknownProduct
from inventory.domain.stock import (
    Adjustment,
    BelowReserved,
    Delivery,
    Receipt,
    Shelf,
)
from inventory.store import holds, products, reservations, stock

MOST_ORDERS_NAMED = 50


async def receive_goods(tx: Tx, delivery: Delivery, *, actor: str) -> Receipt:
    """Take goods in, and give them to the orders that wait for them."""
    if await products.get_location(tx, delivery.location) is None:
        raise _unknown_location(delivery.location)
    known = await products.hold(tx, [line.sku for line in delivery.lines])
    receipt = delivery.valued(known)
    await stock.add_receipt(tx, receipt, actor=actor)
    await stock.add(tx, receipt.location, known)
    await stock.move(tx, receipt.movements, actor=actor)
    filled = await fill_backorders(tx, known, actor=actor)
    await outbox.publish(tx, [_stock_received(receipt), *map(snapshot, filled)])
    return receipt


async def adjust_stock(tx: Tx, adjustment: Adjustment, *, actor: str) -> Shelf:
    """Correct what is there to what was counted; answers with what there is now."""
    sku, location = adjustment.sku, adjustment.location
    if await products.get_location(tx, location) is None:
        raise _unknown_location(location)
    known = await products.hold(tx, [sku])
    if sku not in known:
        missing = Fault("/sku", f"There is no product {sku}.")
        raise UnknownProduct("Describe a product before counting it.", faults=[missing])
    shelf = await stock.get_at(tx, sku, location)
    if adjustment.delta < -shelf.available:
        raise await _below_reserved(tx, shelf)
    cost = known[sku].product.unit_cost
    await stock.add_adjustment(tx, adjustment, standard_cost=cost, actor=actor)
    await stock.add(tx, location, known)
    await stock.move(tx, [adjustment.movement], actor=actor)
    filled = await fill_backorders(tx, known, actor=actor)
    adjusted = _stock_adjusted(adjustment, known[sku].product)
    await outbox.publish(tx, [adjusted, *map(snapshot, filled)])
    return await stock.get_at(tx, sku, location)


async def _below_reserved(tx: Tx, shelf: Shelf) -> BelowReserved:
    """Whom it concerns: the last in line first, for theirs would be missing."""
    kept = await reservations.find_kept(
        tx, shelf.sku, shelf.location, most=MOST_ORDERS_NAMED
    )
    return BelowReserved(
        f"{shelf.on_hand} on hand, of which {shelf.reserved} are reserved:"
        f" at most {shelf.available} can be taken away.",
        on_hand=shelf.on_hand,
        reserved=shelf.reserved,
        available=shelf.available,
        held=await holds.count_kept(tx, shelf.sku, shelf.location),
        orders=[
            {"order_id": order_id, "reserved": units}
            for order_id, units in kept.items()
        ],
    )


def _unknown_location(location: str) -> UnknownLocation:
    missing = Fault("/location", f"There is no location {location}.")
    return UnknownLocation("Goods are at a location.", faults=[missing])


def _stock_adjusted(adjustment: Adjustment, product: Product) -> Announcement:
    event = StockAdjusted(
        adjustment_id=adjustment.id,
        location=adjustment.location,
        sku=adjustment.sku,
        delta=adjustment.delta,
        reason=adjustment.reason,
        standard_cost=product.unit_cost,
        currency=product.currency,
        adjusted_at=adjustment.adjusted_at,
    )
    return Announcement(event, subject=str(adjustment.id))


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
