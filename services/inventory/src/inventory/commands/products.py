"""Describe what there is, and where it can be."""

from chassis import outbox
from chassis.database import Tx
from chassis.events import Announcement
from contracts.inventory import ProductChanged
from inventory.commands.levels import watch_levels
from inventory.domain.products import (
    CurrencyInUse,
    KnownProduct,
    Location,
    Product,
)
from inventory.domain.stock import available
from inventory.store import products, stock


async def put_product(tx: Tx, product: Product) -> tuple[KnownProduct, bool]:
    """Describe a product; True: it is new."""
    added = await products.add(tx, product)
    if added:
        await outbox.publish(tx, [_product_changed(added, previous=None, on_hand=0)])
        return added, True
    known = (await products.hold(tx, [product.sku]))[product.sku]
    if known.product == product:
        return known, False
    shelves = await stock.get(tx, [product.sku])
    on_hand = sum(shelf.on_hand for shelf in shelves)
    if known.product.currency != product.currency:
        await _check_not_in_use(tx, known.product, on_hand=on_hand)
    saved = await products.save(tx, product)
    await outbox.publish(
        tx, [_product_changed(saved, previous=known.product.unit_cost, on_hand=on_hand)]
    )
    await watch_levels(tx, {product.sku: saved}, available(shelves))
    return saved, False


async def _check_not_in_use(tx: Tx, product: Product, *, on_hand: int) -> None:
    if on_hand:
        raise CurrencyInUse(
            f"{on_hand} units on hand are valued in {product.currency}.",
            on_hand=on_hand,
        )
    if await stock.has_shipped(tx, product.sku):
        raise CurrencyInUse(
            f"Units that were shipped are valued in {product.currency}.",
            on_hand=on_hand,
        )


async def put_location(tx: Tx, location: Location) -> bool:
    """Describe a location; True: it is new."""
    if await products.add_location(tx, location):
        return True
    await products.save_location(tx, location)
    return False


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
