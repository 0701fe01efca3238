"""What the gateway reported: each event once, for ever."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from accounting.schema import gateway_events
from chassis.database import Tx


async def add(  # noqa: PLR0913 - the columns of a row
    tx: Tx,
    *,
    id: str,
    type: str,
    occurred_at: datetime,
    data: Mapping[str, Any],
    fingerprint: bytes,
) -> bool:
    """Remember an event; False if it is known. Two at once: the second one waits."""
    event = insert(gateway_events).values(
        id=id, type=type, occurred_at=occurred_at, data=data, fingerprint=fingerprint
    )
    added = await tx.execute(event.on_conflict_do_nothing())
    return bool(added.rowcount)


async def get_fingerprint(tx: Tx, id: str) -> bytes:
    query = select(gateway_events.c.fingerprint).where(gateway_events.c.id == id)
    found: bytes = (await tx.execute(query)).scalar_one()
    return found
