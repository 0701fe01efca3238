"""Showing on orders that events about them are stuck among dead letters."""

from collections.abc import Sequence
from datetime import UTC, datetime

from chassis.database import Tx
from orders.domain.letters import DeadLetter, newest
from orders.store import letters as letters_store
from orders.store import orders as store


async def note(tx: Tx, letters: Sequence[DeadLetter]) -> None:
    """Of orders that are not placed (yet), nothing is kept: nobody could look at it."""
    held = await store.get_for_update(tx, {letter.order_id for letter in letters})
    known = [letter for letter in letters if letter.order_id in held]
    if not known:
        return
    await letters_store.note(tx, newest(known))
    waiting = await letters_store.count_waiting(tx, held)
    at = datetime.now(UTC)
    marked = [o.with_stuck(waiting.get(o.id, 0), at) for o in held.values()]
    await store.save(tx, [order for order in marked if order is not held[order.id]])
