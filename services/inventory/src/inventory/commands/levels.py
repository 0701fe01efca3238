"""Notice when a product has run low: each time once, whatever it was that took it."""

from collections.abc import Mapping

from chassis import outbox
from chassis.database import Tx
from chassis.events import Announcement
from contracts.inventory import StockRanLow
from inventory.domain.products import KnownProduct
from inventory.store import products


async def watch_levels(
    tx: Tx, known: Mapping[str, KnownProduct], free: Mapping[str, int]
) -> None:
    """Announce held products whose stock fell to the reorder point.

    Every command that changes what is free comes here last: what comes in and goes on
    to a backorder in one transaction was never there to be bought.
    """
    crossed = {
        sku: low
        for sku, product in known.items()
        if (low := product.runs_low(free.get(sku, 0))) != product.low
    }
    if not crossed:
        return
    now = await products.save_low(tx, crossed)
    events = [
        StockRanLow(
            sku=sku,
            available=free.get(sku, 0),
            reorder_point=point,
            ran_low_at=now,
        )
        for sku, low in crossed.items()
        if low and (point := known[sku].product.reorder_point) is not None
    ]
    await outbox.publish(tx, [Announcement(event, event.sku) for event in events])
