"""What Orders does about what Inventory and Accounting say."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from uuid import UUID

from chassis.database import Tx
from orders.domain.orders import Accounted, Standing
from orders.store import orders as store


class UnknownOrders(Exception):
    """Others speak of orders that were never placed here.

    They heard of them from the event log, which is written with the orders: this is no
    matter of time, and somebody has to look.
    """


async def hold(tx: Tx, ids: AbstractSet[UUID]) -> dict[UUID, Standing]:
    """The orders, kept from others; each of them must be there."""
    found = await store.get_standing_for_update(tx, ids)
    _check_known(ids, found)
    return found


async def hold_accounted(tx: Tx, ids: AbstractSet[UUID]) -> dict[UUID, Accounted]:
    """The same, of what Accounting has a say in."""
    found = await store.get_accounted_for_update(tx, ids)
    _check_known(ids, found)
    return found


def _check_known(ids: AbstractSet[UUID], found: Mapping[UUID, object]) -> None:
    if unknown := ids - found.keys():
        raise UnknownOrders(", ".join(map(str, unknown)))
