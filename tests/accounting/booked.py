"""What of an order is in the books, and what waits to be."""

from uuid import UUID

from sqlalchemy import select

from accounting.schema import entries, parked_facts
from chassis.database import Tx


async def rules_of(tx: Tx, order_id: UUID) -> list[str]:
    of_order = entries.c.order_id == order_id
    found = await tx.execute(select(entries.c.rule).where(of_order).order_by("id"))
    return list(found.scalars())


async def parked(tx: Tx) -> list[int]:
    sequence = parked_facts.c.sequence
    return list((await tx.execute(select(sequence).order_by(sequence))).scalars())
