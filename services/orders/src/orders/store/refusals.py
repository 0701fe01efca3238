"""Refusals of orders that were accepted before they could be checked."""

from collections.abc import Collection, Sequence
from uuid import UUID

from msgspec.structs import asdict
from sqlalchemy import Text, Uuid, select
from sqlalchemy.dialects.postgresql import distinct_on

from chassis.database import Tx, columns_of, insert_many, rows_from_arrays, run
from orders.domain.refusals import Refusal
from orders.schema import refusals

_FIELDS = ("order_id", "fingerprint", "client", "code", "detail", "placed_as")
_ADD = insert_many(refusals, *_FIELDS).on_conflict_do_nothing()
_promised = rows_from_arrays(("promised_id", Uuid()), ("promised_to", Text()))
_FIND = (
    select(*(refusals.c[name] for name in _FIELDS))
    .join(
        _promised,
        (refusals.c.order_id == _promised.c.promised_id)
        & (refusals.c.client == _promised.c.promised_to),
    )
    .ext(distinct_on(refusals.c.order_id, refusals.c.client))
    .order_by(refusals.c.order_id, refusals.c.client, refusals.c.refused_at.desc())
)


async def add(tx: Tx, refused: Sequence[Refusal]) -> None:
    if refused:
        rows = sorted(map(asdict, refused), key=lambda row: row["order_id"])
        await tx.execute(_ADD, columns_of(rows, _FIELDS))


async def find(
    tx: Tx, promised: Collection[tuple[UUID, str]]
) -> dict[tuple[UUID, str], Refusal]:
    """The last refusal that each of these clients met with under its id."""
    if not promised:
        return {}
    ids, clients = zip(*promised, strict=True)
    rows = await run(tx, _FIND, {"promised_id": ids, "promised_to": clients})
    found = (Refusal(**dict(row)) for row in rows)
    return {(refusal.order_id, refusal.client): refusal for refusal in found}
