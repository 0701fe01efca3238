"""Many orders in one upload: how far each of its rows is, and all of them together."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from msgspec import Struct

from chassis.ids import uuid5

# Never to change: an upload sent again must find the batch that the first one made.
_BATCHES = UUID("0f1f2a0c-5b1e-4a55-9a38-7d1d3f6cf1b2")


class BatchStatus(StrEnum):
    RUNNING = "running"
    COMPLETED = "completed"


class RowStatus(StrEnum):
    WAITING = "waiting"
    PLACED = "placed"
    REPLAYED = "replayed"
    FAILED = "failed"


class Batch(Struct, frozen=True, kw_only=True):
    id: UUID
    upload_id: UUID
    client: str
    customer_id: str | None
    fingerprint: bytes
    status: BatchStatus
    rows: int
    placed: int = 0
    replayed: int = 0
    failed: int = 0
    created_at: datetime


def batch_id(client: str, key: str) -> UUID:
    """The same for every attempt. Keys have no spaces: no two pairs read the same."""
    return uuid5(_BATCHES, f"{client} {key}")
