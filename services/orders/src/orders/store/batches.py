"""Batches and their rows: stored as they stream in, taken up row by row."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import (
    JSON,
    Integer,
    Row,
    Text,
    Uuid,
    any_,
    bindparam,
    case,
    cast,
    delete,
    func,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from chassis.database import Tx, columns_of, insert_many, rows_from_arrays
from chassis.pages import Window
from orders.domain.batches import Batch, BatchStatus, RowStatus
from orders.schema import batch_rows, batch_uploads, batches

UNFINISHED_KEPT = timedelta(days=1)
KEPT = timedelta(days=30)  # as other idempotency keys; their orders stay


class StoredRow(Struct, frozen=True, kw_only=True):
    """`asked` is the order as JSON, while it waits; `problem` is one when it failed."""

    row: int
    idempotency_key: str | None
    status: RowStatus
    asked: str | None = None
    order_id: UUID | None = None
    problem: str | None = None


class Waiting(Struct, frozen=True):
    """A row that is still to be placed."""

    batch_id: UUID
    upload_id: UUID
    row: int


_ROW = tuple(column.name for column in batch_rows.c)
# Again after an unknown outcome, it changes nothing.
_ADD_ROWS = insert_many(batch_rows, *_ROW).on_conflict_do_nothing()

_OLDEST = (
    select(batches.c.id, batches.c.upload_id)
    .where(batches.c.status == BatchStatus.RUNNING)
    .order_by(batches.c.created_at, batches.c.id)
    .limit(1)
    .subquery()
)
_NEXT = (
    select(_OLDEST.c.id, batch_rows.c.upload_id, batch_rows.c.row)
    .join(_OLDEST, batch_rows.c.upload_id == _OLDEST.c.upload_id)
    .where(batch_rows.c.status == RowStatus.WAITING)
    .order_by(batch_rows.c.row)
    .limit(bindparam("limit"))
)
# Another process may have placed them meanwhile: then they wait no more.
_LOCK = (
    select(batch_rows.c.row, cast(batch_rows.c.asked, Text).label("asked"))
    .where(
        batch_rows.c.upload_id == bindparam("upload"),
        batch_rows.c.row == any_(bindparam("rows", type_=ARRAY(Integer))),
        batch_rows.c.status == RowStatus.WAITING,
    )
    .order_by(batch_rows.c.row)
    .with_for_update()
)
_done = rows_from_arrays(
    ("new_row", Integer()),
    ("new_status", Text()),
    ("new_order_id", Uuid()),
    ("new_problem", Text()),
)
_SETTLE_ROWS = (
    update(batch_rows)
    .where(
        batch_rows.c.upload_id == bindparam("upload"),
        batch_rows.c.row == _done.c.new_row,
    )
    .values(
        status=_done.c.new_status,
        order_id=_done.c.new_order_id,
        problem=cast(_done.c.new_problem, JSON),
        asked=null(),
    )
)
_settled = batches.c.placed + batches.c.replayed + batches.c.failed
_COUNT = (
    update(batches)
    .where(batches.c.id == bindparam("batch"))
    .values(
        placed=batches.c.placed + bindparam("now_placed"),
        replayed=batches.c.replayed + bindparam("now_replayed"),
        failed=batches.c.failed + bindparam("now_failed"),
        status=case(
            (
                _settled + bindparam("now_settled") == batches.c.rows,
                BatchStatus.COMPLETED,
            ),
            else_=batches.c.status,
        ),
    )
)


async def begin_upload(tx: Tx, upload_id: UUID) -> None:
    await tx.execute(
        insert(batch_uploads).values(id=upload_id).on_conflict_do_nothing()
    )


async def add_rows(tx: Tx, upload_id: UUID, rows: Sequence[StoredRow]) -> None:
    stored = [asdict(row) | {"upload_id": upload_id} for row in rows]
    await tx.execute(_ADD_ROWS, columns_of(stored, _ROW))


async def add(tx: Tx, batch: Batch) -> bool:
    """Make a batch of the upload; False if there is one with this id already."""
    added = await tx.execute(
        insert(batches).values(asdict(batch)).on_conflict_do_nothing()
    )
    if added.rowcount:
        await _end_upload(tx, batch.upload_id)
    return bool(added.rowcount)


async def discard(tx: Tx, upload_id: UUID) -> None:
    """Forget an upload, unless it has become a batch by a commit nobody heard of."""
    if await _end_upload(tx, upload_id):
        await tx.execute(delete(batch_rows).where(batch_rows.c.upload_id == upload_id))


async def _end_upload(tx: Tx, upload_id: UUID) -> bool:
    ended = await tx.execute(
        delete(batch_uploads).where(batch_uploads.c.id == upload_id)
    )
    return bool(ended.rowcount)


async def get(tx: Tx, id: UUID) -> Batch | None:
    row = (await tx.execute(select(batches).where(batches.c.id == id))).one_or_none()
    return _batch(row) if row else None


async def find_results(tx: Tx, upload_id: UUID, window: Window) -> Sequence[Row[Any]]:
    """The rows that are settled, in their order."""
    query = select(
        batch_rows.c.row,
        batch_rows.c.idempotency_key,
        batch_rows.c.status,
        batch_rows.c.order_id,
        batch_rows.c.problem,
    ).where(
        batch_rows.c.upload_id == upload_id, batch_rows.c.status != RowStatus.WAITING
    )
    return (await tx.execute(window.of(query, batch_rows.c.row))).all()


async def next_waiting(tx: Tx, limit: int) -> list[Waiting]:
    """Rows of the oldest batch that is still running; nobody is held up by this."""
    return [Waiting(*row) for row in await tx.execute(_NEXT, {"limit": limit})]


async def take(tx: Tx, waiting: Sequence[Waiting]) -> dict[int, str]:
    """What these rows of one batch ask for, held until the transaction ends."""
    rows = {"upload": waiting[0].upload_id, "rows": [item.row for item in waiting]}
    return {row.row: row.asked for row in await tx.execute(_LOCK, rows)}


async def settle(tx: Tx, batch: Waiting, rows: Collection[StoredRow]) -> None:
    """Note what became of rows that were taken, and how far their batch is."""
    if not rows:
        return
    settled = {
        "upload": batch.upload_id,
        "new_row": [row.row for row in rows],
        "new_status": [row.status for row in rows],
        "new_order_id": [row.order_id for row in rows],
        "new_problem": [row.problem for row in rows],
    }
    await tx.execute(_SETTLE_ROWS, settled)
    count = [row.status for row in rows].count
    counted = {
        "batch": batch.batch_id,
        "now_placed": count(RowStatus.PLACED),
        "now_replayed": count(RowStatus.REPLAYED),
        "now_failed": count(RowStatus.FAILED),
        "now_settled": len(rows),
    }
    await tx.execute(_COUNT, counted)


async def forget_old(tx: Tx) -> None:
    """Uploads that ended with their process, and batches that were long since read."""
    unfinished = (
        delete(batch_uploads)
        .where(batch_uploads.c.begun_at < func.now() - UNFINISHED_KEPT)
        .returning(batch_uploads.c.id)
    )
    old = (
        delete(batches)
        .where(
            batches.c.status == BatchStatus.COMPLETED,
            batches.c.created_at < func.now() - KEPT,
        )
        .returning(batches.c.upload_id)
    )
    for forgotten in (unfinished, old):
        ids = list((await tx.execute(forgotten)).scalars())
        if ids:
            await tx.execute(delete(batch_rows).where(batch_rows.c.upload_id.in_(ids)))


def _batch(row: Row[Any]) -> Batch:
    fields = dict(row._mapping)  # noqa: SLF001 - a public name
    return Batch(**fields | {"status": BatchStatus(row.status)})
