"""The facts of orders as they were announced: read from the event log."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct
from sqlalchemy import BigInteger, Row, Select, Text, select
from sqlalchemy.dialects.postgresql import distinct_on

from chassis.database import Tx, rows_from_arrays
from chassis.outbox import outbox
from chassis.pages import Window

# What was announced again is there again, under its old sequence: the first row counts.
_FACTS = (
    select(
        outbox.c.subject,
        outbox.c.sequence,
        outbox.c.type,
        outbox.c.time,
        outbox.c.traceparent,
        outbox.c.data,
    )
    .ext(distinct_on(outbox.c.subject, outbox.c.sequence))
    .where(outbox.c.sequence.is_not(None))
    .order_by(outbox.c.subject)
)
_missing = rows_from_arrays(("subject", Text()), ("from_sequence", BigInteger()))
_FROM: Select[Any] = (
    _FACTS.join(_missing, outbox.c.subject == _missing.c.subject)
    .where(outbox.c.sequence >= _missing.c.from_sequence)
    .order_by(outbox.c.sequence, outbox.c.added)
)


class Told(Struct, frozen=True, kw_only=True):
    """A fact as it was announced first."""

    order_id: UUID
    sequence: int
    type: str
    occurred_at: datetime
    traceparent: str | None
    data: Mapping[str, Any]

    @property
    def trace_id(self) -> str | None:
        """Of W3C's `version-trace-parent-flags`."""
        return self.traceparent.split("-")[1] if self.traceparent else None


async def find_page(tx: Tx, window: Window, *, order_id: UUID) -> list[Told]:
    """An order's facts in their order."""
    query: Select[Any] = window.of(
        _FACTS.where(outbox.c.subject == str(order_id)), outbox.c.sequence
    ).order_by(outbox.c.added)
    return [_told(row) for row in await tx.execute(query)]


async def find_from(tx: Tx, missing: Mapping[UUID, int]) -> list[Told]:
    """The facts of several orders, each from a sequence on."""
    wanted: dict[str, Collection[Any]] = {
        "subject": [str(order_id) for order_id in missing],
        "from_sequence": list(missing.values()),
    }
    return [_told(row) for row in await tx.execute(_FROM, wanted)]


def _told(row: Row[Any]) -> Told:
    return Told(
        order_id=UUID(row.subject),
        sequence=row.sequence,
        type=row.type,
        occurred_at=row.time,
        traceparent=row.traceparent,
        data=row.data,
    )
