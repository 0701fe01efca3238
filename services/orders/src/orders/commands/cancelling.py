"""Asking for units to be cancelled: Inventory decides, and answers."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from chassis.database import Tx
from orders.commands import announcing, held
from orders.domain import cancellations as domain
from orders.domain.cancellations import Cancellation
from orders.domain.lines import Units
from orders.store import cancellations
from orders.store import orders as store


class Asked(Struct, frozen=True, kw_only=True):
    """What somebody wants cancelled; no units: all that can be."""

    id: UUID
    order_id: UUID
    units: Sequence[Units] | None
    reason: str | None
    at: datetime


async def request_cancellation(
    tx: Tx, asked: Asked, *, customer_id: str | None
) -> Cancellation:
    order = await held(tx, asked.order_id, customer_id)
    others = (await cancellations.find(tx, [order.id]))[order.id]
    for earlier in others:
        if earlier.id == asked.id:  # the key's answer may be forgotten, its effect not
            return earlier
    asking, cancellation, fact = domain.request_cancellation(
        order, asked.units, others, id=asked.id, reason=asked.reason, at=asked.at
    )
    await cancellations.add(tx, [cancellation])
    await store.save(tx, [asking])
    await announcing.announce(tx, [fact])
    return cancellation
