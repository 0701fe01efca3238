"""Refunds that were requested, and what became of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import Row, func, select, update

from accounting.domain.documents import Refund, RefundStatus
from accounting.schema import orders, refunds
from chassis import database
from chassis.database import Tx, insert_many
from chassis.ids import uuid7
from chassis.pages import Window

_REFUND = (
    "id",
    "order_id",
    "source_event_id",
    "amount",
    "currency",
    "status",
    "provider",
    "reference",
)
ADD = insert_many(refunds, *_REFUND, prefix="refund_")


class Requested(Struct, frozen=True, kw_only=True):
    """A refund, the id by which it is known outside, and where it stands."""

    id: UUID
    status: RefundStatus
    refund: Refund
    settled_at: datetime | None = None


def request(batch: Sequence[Refund]) -> list[Requested]:
    """New ones, with their ids."""
    return [
        Requested(id=uuid7(), status=RefundStatus.REQUESTED, refund=refund)
        for refund in batch
    ]


def columns_of(requested: Sequence[Requested]) -> dict[str, list[Any]]:
    """What `ADD` takes."""
    rows = [
        {"id": one.id, "status": one.status, **asdict(one.refund)} for one in requested
    ]
    return database.columns_of(rows, _REFUND, prefix="refund_")


async def get(tx: Tx, id: UUID) -> Requested | None:
    row = (await tx.execute(select(refunds).where(refunds.c.id == id))).one_or_none()
    return _requested(row) if row else None


async def settle(tx: Tx, id: UUID, at: datetime) -> None:
    await tx.execute(
        update(refunds)
        .where(refunds.c.id == id)
        .values(status=RefundStatus.SETTLED, settled_at=at, failure=None)
    )


async def fail(tx: Tx, id: UUID, reason: str) -> None:
    await tx.execute(
        update(refunds)
        .where(refunds.c.id == id)
        .values(status=RefundStatus.FAILED, failure=reason)
    )


async def count_failed(tx: Tx) -> int:
    failed = refunds.c.status == RefundStatus.FAILED
    counted = await tx.execute(select(func.count()).select_from(refunds).where(failed))
    return counted.scalar_one()


async def find(
    tx: Tx,
    window: Window,
    *,
    order_id: UUID | None = None,
    status: RefundStatus | None = None,
    customer_id: str | None = None,
) -> list[Requested]:
    """Refunds, the newest first."""
    query = window.of(select(refunds), refunds.c.id, newest_first=True)
    if order_id:
        query = query.where(refunds.c.order_id == order_id)
    if status:
        query = query.where(refunds.c.status == status)
    if customer_id is not None:
        of_customer = select(orders.c.id).where(orders.c.customer_id == customer_id)
        query = query.where(refunds.c.order_id.in_(of_customer))
    return [_requested(row) for row in await tx.execute(query)]


def _requested(row: Row[Any]) -> Requested:
    return Requested(
        id=row.id,
        status=RefundStatus(row.status),
        refund=Refund(
            order_id=row.order_id,
            source_event_id=row.source_event_id,
            amount=row.amount,
            currency=row.currency,
            provider=row.provider,
            reference=row.reference,
        ),
        settled_at=row.settled_at,
    )
