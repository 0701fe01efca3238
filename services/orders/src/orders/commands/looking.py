"""Looking at orders: those who look at once are answered by one transaction."""

from collections.abc import Sequence
from typing import TypeAlias
from uuid import UUID

from chassis.batching import GroupCommit
from chassis.database import Database
from orders.domain.orders import Order
from orders.store import orders as store

Looks: TypeAlias = GroupCommit[UUID, Order | None]

# An order may have hundreds of lines: nobody else is served while they are taken in.
MOST_TOGETHER = 64
MOST_WAITING = 2048  # while the database is silent, all do
# One that was paused needs some fifteen seconds to be there again.
ANSWERS_WITHIN_S = 20.0


def looks_at(
    database: Database, *, answers_within_s: float = ANSWERS_WITHIN_S
) -> Looks:
    """Whoever comes while others are answered is in the next batch.

    So they see whatever was committed before they came, as if they had come alone.
    """

    async def read(ids: Sequence[UUID]) -> Sequence[Order | None]:
        found = await database.transact(store.get_many, set(ids))
        return [*map(found.get, ids)]

    return GroupCommit(
        read,
        called="looks",
        subject=str,
        named="order_id",
        max_batch=MOST_TOGETHER,
        max_waiting=MOST_WAITING,
        answers_within_s=answers_within_s,
    )
