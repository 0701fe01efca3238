"""Letting goods come back."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from chassis.database import Tx
from orders.commands import announcing, held
from orders.domain import returns as domain
from orders.domain.lines import Units
from orders.domain.returns import Return
from orders.store import orders as store
from orders.store import returns


class Asked(Struct, frozen=True, kw_only=True):
    id: UUID
    order_id: UUID
    units: Sequence[Units]
    reason: str | None
    at: datetime


async def authorise_return(tx: Tx, asked: Asked, *, customer_id: str | None) -> Return:
    order = await held(tx, asked.order_id, customer_id)
    others = (await returns.find(tx, [order.id]))[order.id]
    for earlier in others:
        if earlier.id == asked.id:  # the key's answer may be forgotten, its effect not
            return earlier
    announcing_it, authorised, fact = domain.authorise_return(
        order, asked.units, others, id=asked.id, reason=asked.reason, at=asked.at
    )
    await returns.save(tx, [authorised])
    await store.save(tx, [announcing_it])
    await announcing.announce(tx, [fact])
    return authorised
