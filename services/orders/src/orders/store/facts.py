"""The facts that Orders announced, as the event log has them, for who follows it."""

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from uuid import UUID

from msgspec import Struct
from sqlalchemy import Text, Uuid, bindparam, select

from chassis.database import Tx
from chassis.events import to_wire
from chassis.outbox import RELAY, outbox, relay_cursor
from orders.schema import orders

_NEWEST = select(relay_cursor.c.numbered).where(relay_cursor.c.name == RELAY)
# Every subject is an order: whose it is comes with the fact.
_AFTER = (
    select(
        outbox.c.position,
        outbox.c.id,
        outbox.c.type,
        outbox.c.subject,
        outbox.c.sequence,
        outbox.c.time,
        outbox.c.traceparent,
        outbox.c.data.cast(Text).label("data"),
        orders.c.customer_id,
    )
    .join(orders, orders.c.id == outbox.c.subject.cast(Uuid))
    .where(outbox.c.position > bindparam("after"))
    .order_by(outbox.c.position)
    .limit(bindparam("limit"))
)


class Fact(Struct, frozen=True, kw_only=True, dict=True):
    """One entry of the log; `data` is the JSON text that it is stored as."""

    position: int
    id: UUID
    type: str
    subject: str
    sequence: int | None
    time: datetime
    traceparent: str | None
    data: str
    customer_id: str

    @cached_property
    def event(self) -> str:
        """As subscribers get it; written once for all who listen."""
        return to_wire(
            id=self.id,
            source="orderly/orders",
            type=self.type,
            subject=self.subject,
            time=self.time,
            sequence=self.sequence,
            traceparent=self.traceparent,
            data=self.data,
        )


async def newest(tx: Tx) -> int:
    """The position that was given last."""
    return int((await tx.execute(_NEWEST)).scalar_one())


async def find_after(tx: Tx, position: int, limit: int) -> Sequence[Fact]:
    found = await tx.execute(_AFTER, {"after": position, "limit": limit})
    return [Fact(**row) for row in found.mappings()]
