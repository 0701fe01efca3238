"""What Inventory may be asked; each is announced in the transaction that does it."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial

import structlog

from chassis import metrics, outbox
from chassis.database import Tx, after_commit
from chassis.errors import Fault
from chassis.events import Announcement
from contracts.inventory import (
    ProductChanged,
    ReceivedGoods,
    ReservationChanged,
    ReservedLine,
    StockReceived,
)
from inventory.domain.products import (
    CurrencyInUse,
    KnownProduct,
    Location,
    Product,
    UnknownLocation,
)
from inventory.domain.reservations import Reservation, Served, State, fill, reserve
from inventory.domain.stock import Delivery, Receipt, available
from inventory.store import products, reservations, stock

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


async def put_product(tx: Tx, product: Product) -> tuple[KnownProduct, bool]:
    """Describe a product; True: it is new."""
    added = await products.add(tx, product)
    if added:
        await outbox.publish(tx, [_product_changed(added, previous=None, on_hand=0)])
        return added, True
    known = (await products.hold(tx, [product.sku]))[product.sku]
    if known.product == product:
        return known, False
    on_hand = sum(s.on_hand for s in await stock.get(tx, [product.sku]))
    if on_hand and known.product.currency != product.currency:
        raise CurrencyInUse(
            f"{on_hand} units on hand are valued in {known.product.currency}.",
            on_hand=on_hand,
        )
    saved = await products.save(tx, product)
    await outbox.publish(
        tx, [_product_changed(saved, previous=known.product.unit_cost, on_hand=on_hand)]
    )
    return saved, False


async def put_location(tx: Tx, location: Location) -> bool:
    """Describe a location; True: it is new."""
    if await products.add_location(tx, location):
        return True
    await products.save_location(tx, location)
    return False


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
    filled = await _fill_backorders(tx, known, actor=actor)
    await outbox.publish(tx, [_stock_received(receipt), *map(_snapshot, filled)])
    return receipt


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
    served = reserve(new, skus, await stock.get(tx, skus))
    await _keep(tx, served, actor=ORDERS)
    decided = [order.reservation for order in served]
    answers = [*await reservations.get(tx, known), *decided]
    await outbox.publish(tx, [_snapshot(reservation) for reservation in answers])
    after_commit(tx, partial(_count, decided))


async def _fill_backorders(
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


def _product_changed(
    known: KnownProduct, *, previous: int | None, on_hand: int
) -> Announcement:
    event = ProductChanged(
        sku=known.product.sku,
        version=known.version,
        name=known.product.name,
        unit_cost=known.product.unit_cost,
        currency=known.product.currency,
        previous_unit_cost=previous,
        on_hand=on_hand,
        changed_at=known.changed_at,
    )
    return Announcement(event, subject=event.sku)


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


def _snapshot(reservation: Reservation) -> Announcement:
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
    )
    return Announcement(event, subject=str(reservation.order_id))
