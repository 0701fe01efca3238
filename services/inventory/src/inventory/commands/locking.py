"""What is done to known orders is done with all their products held, and then them.

So two transactions that change one order meet at its products, in SKU order.
"""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from msgspec import Struct

from chassis.database import StartOver, Tx
from inventory.domain.cancellations import Tombstone
from inventory.domain.products import KnownProduct
from inventory.domain.reservations import (
    Allocation,
    Reservation,
    ReservationNotFound,
)
from inventory.store import history, locks, reservations


class Held(Struct, frozen=True):
    """Orders that are kept from others, as they stand, and products.

    `awaited` are those that have not come: what is cancelled of them already. `opened`
    are those of them that are stored as open by now, in their first version.
    """

    products: Mapping[str, KnownProduct]
    reservations: dict[UUID, Reservation]
    allocations: dict[UUID, Sequence[Allocation]]
    awaited: dict[UUID, Tombstone]
    opened: Collection[UUID]


async def hold_orders(
    tx: Tx,
    order_ids: Collection[UUID],
    placed: Collection[Reservation] = (),
) -> Held:
    """Keep orders from others, with the products of those that have come, or are
    `placed` now.
    """
    products, heads = await locks.hold(tx, order_ids, placed)
    versions = {id_: head.version for id_, head in heads.items() if head.is_awaited}
    opened = {id_ for id_, head in heads.items() if head.is_opened}
    come = heads.keys() - versions.keys() - opened
    found = await reservations.get_with_allocations(tx, come)
    if any(_moves_others(order, products) for order, _ in found):
        raise StartOver("an order came while its cancellation was on its way")
    return Held(
        products=products,
        reservations={order.order_id: order for order, _ in found},
        allocations={order.order_id: kept for order, kept in found},
        awaited=await _tombstones(tx, versions | dict.fromkeys(opened, 0)),
        opened=opened,
    )


def _moves_others(order: Reservation, products: Collection[str]) -> bool:
    """Whether it has units of products that are not held: it was not there to tell."""
    return any(
        line.sku not in products and (line.reserved or line.backordered or line.shipped)
        for line in order.lines
    )


async def _tombstones(tx: Tx, versions: Mapping[UUID, int]) -> dict[UUID, Tombstone]:
    cancelled = [order_id for order_id, version in versions.items() if version]
    pasts = await history.get(tx, cancelled)
    return {
        order_id: Tombstone(order_id=order_id, version=version, history=pasts[order_id])
        for order_id, version in versions.items()
    }


async def hold_order(
    tx: Tx, order_id: UUID
) -> tuple[Mapping[str, KnownProduct], Reservation, Sequence[Allocation]]:
    """Keep an order that has come from others, with its products and their places."""
    held = await hold_orders(tx, [order_id])
    if order_id not in held.reservations:
        raise ReservationNotFound(f"Nothing is known here of order {order_id}.")
    order = held.reservations[order_id]
    return held.products, order, held.allocations[order_id]
