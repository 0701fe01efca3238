"""Refusals of orders that were accepted before they could be checked."""

from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID

from sqlalchemy import select

from chassis.database import Tx, columns_of, insert_many
from orders.domain.refusals import Refusal
from orders.schema import refusals

_FIELDS = ("order_id", "fingerprint", "client", "code", "detail", "placed_as")
_ADD = insert_many(refusals, *_FIELDS).on_conflict_do_nothing()
_COLUMNS = tuple(refusals.c[name] for name in _FIELDS)


async def add(tx: Tx, refused: Sequence[Refusal]) -> None:
    if refused:
        rows = sorted(map(asdict, refused), key=lambda row: row["order_id"])
        await tx.execute(_ADD, columns_of(rows, _FIELDS))


async def find(tx: Tx, order_id: UUID, client: str) -> Refusal | None:
    """The last refusal that this client met with under this id."""
    found = await tx.execute(
        select(*_COLUMNS)
        .where(refusals.c.order_id == order_id, refusals.c.client == client)
        .order_by(refusals.c.refused_at.desc())
        .limit(1)
    )
    row = found.one_or_none()
    return Refusal(**row._mapping) if row else None  # noqa: SLF001 - a public name
