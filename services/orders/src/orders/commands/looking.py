"""Looking at orders: those who look at once are answered by one transaction."""

import asyncio
from collections.abc import Sequence
from typing import TypeAlias
from uuid import UUID

from msgspec import Struct

from chassis.batching import GroupCommit
from chassis.database import Database, Tx
from orders.domain.orders import Order
from orders.domain.refusals import Refusal
from orders.store import orders, refusals

# An order may have hundreds of lines: nobody else is served while they are taken in.
MOST_TOGETHER = 64
MOST_WAITING = 2048  # while the database is silent, all do
# All look by one connection: if it has gone silent, they are to have another one soon.
READ_WITHIN_S = 3.0


class Look(Struct, frozen=True):
    order_id: UUID
    client: str  # who may have been promised the order, and be told why there is none


Seen: TypeAlias = Order | Refusal | None
Looks: TypeAlias = GroupCommit[Look, Seen]


def looks_at(database: Database) -> Looks:
    """Whoever comes while others are answered is in the next batch.

    So they see whatever was committed before they came, as if they had come alone.
    """
    return GroupCommit(
        lambda looks: database.transact(read, looks),
        called="looks",
        subject=lambda look: str(look.order_id),
        named="order_id",
        max_batch=MOST_TOGETHER,
        max_waiting=MOST_WAITING,
    )


async def read(tx: Tx, looks: Sequence[Look]) -> list[Seen]:
    async with asyncio.timeout(READ_WITHIN_S):
        found = await orders.get_many(tx, {look.order_id for look in looks})
        missing = {(o.order_id, o.client) for o in looks if o.order_id not in found}
        refused = await refusals.find(tx, missing)
    return [
        found.get(look.order_id) or refused.get((look.order_id, look.client))
        for look in looks
    ]
