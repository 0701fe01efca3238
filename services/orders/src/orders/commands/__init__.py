"""What a caller may ask of Orders."""

from uuid import UUID

from chassis.database import Tx
from orders.domain.orders import Order, OrderNotFound
from orders.store import orders as store


async def held(tx: Tx, order_id: UUID, customer_id: str | None) -> Order:
    """The order, kept from others; a customer's token opens that customer's only."""
    found = await store.get_for_update(tx, [order_id])
    order = found.get(order_id)
    if order is None or customer_id not in {None, order.customer_id}:
        raise OrderNotFound
    return order


async def check_may_see(tx: Tx, order_id: UUID, customer_id: str | None) -> None:
    """Refuse what is not there, and what is somebody else's, in the same words."""
    owner = await store.find_customer(tx, order_id)
    if owner is None or customer_id not in {None, owner}:
        raise OrderNotFound
