"""What is done to known orders is done with all their products held, and then them.

So two transactions that change one order meet at its products, in SKU order.
"""

from collections.abc import Collection, Iterable
from uuid import UUID

from chassis.database import StartOver, Tx
from inventory.domain.products import KnownProduct
from inventory.domain.reservations import Reservation, ReservationNotFound, State
from inventory.store import products, reservations
from inventory.store.reservations import Held


async def hold_orders(
    tx: Tx, order_ids: Collection[UUID], *, also: Iterable[str] = ()
) -> tuple[dict[str, KnownProduct], dict[UUID, Held]]:
    """Keep orders from others, with the products of those that have come."""
    skus = await reservations.find_skus(tx, order_ids)
    known = await products.hold(tx, set(also).union(*skus.values()))
    held = await reservations.hold(tx, order_ids)
    if any(
        order.state is not State.AWAITED and order_id not in skus
        for order_id, order in held.items()
    ):
        raise StartOver("an order came while its cancellation was on its way")
    return known, held


async def hold_order(
    tx: Tx, order_id: UUID
) -> tuple[dict[str, KnownProduct], Reservation]:
    """Keep an order that has come from others, with its products."""
    known, _ = await hold_orders(tx, [order_id])
    found = await reservations.get(tx, [order_id])
    if not found:
        raise ReservationNotFound(f"Nothing is known here of order {order_id}.")
    return known, found[0]
