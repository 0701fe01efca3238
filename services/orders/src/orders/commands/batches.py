"""Batches: taken whole or not at all, then placed a few hundred rows at a time.

A row is placed by the transaction that notes it, so that whoever dies leaves nothing
half, and any process may go on.
"""

import json
from collections.abc import Sequence
from functools import partial
from uuid import UUID

import structlog

from chassis import tracing
from chassis.batching import in_halves
from chassis.database import Database, Tx
from chassis.errors import Refused, problem
from chassis.idempotency import KeyReused
from orders.commands.placing import Answer, place_orders
from orders.domain.batches import Batch, RowStatus
from orders.store import batches as store
from orders.store.asked import read
from orders.store.batches import StoredRow, Waiting

log = structlog.get_logger(__name__)

AT_ONCE = 256


class RowBroken(Refused):
    """It could not be placed for a reason that is ours to find."""

    code = "internal_error"


async def begin_batch(tx: Tx, batch: Batch) -> tuple[Batch, bool]:
    """Make a batch of what was uploaded, unless it is one already; is it news?"""
    if await store.add(tx, batch):
        return batch, True
    earlier = await store.get(tx, batch.id)
    assert earlier  # noqa: S101 - a batch stays when it has an id
    if earlier.fingerprint != batch.fingerprint:
        raise KeyReused(
            "This Idempotency-Key came with another batch before. Use a new one."
        )
    await store.discard(tx, batch.upload_id)
    return earlier, earlier.upload_id == batch.upload_id


async def place_all(database: Database) -> bool:
    """Place what waits in the batches that are running; nothing is due then."""

    async def place(rows: Sequence[Waiting]) -> Sequence[None]:
        return await database.transact(_place_rows, rows)

    while waiting := await database.transact(store.next_waiting, AT_ONCE):
        with tracing.beginning("place rows"):
            await in_halves(waiting, place, partial(_give_up, database))
            log.info("Batch rows placed", rows=len(waiting))
    return False


async def keep_up(database: Database) -> bool:
    await database.transact(store.forget_old)
    return False


async def _place_rows(tx: Tx, waiting: Sequence[Waiting]) -> Sequence[None]:
    taken = await store.take(tx, waiting)
    asked = [read(row).restored() for row in taken.values()]
    answers = await place_orders(tx, asked) if asked else []
    path = batch_path(waiting[0].batch_id)
    settled = [
        _settled(row, answer, path) for row, answer in zip(taken, answers, strict=True)
    ]
    await store.settle(tx, waiting[0], settled)
    return [None] * len(waiting)


async def _give_up(database: Database, waiting: Waiting, error: Exception) -> None:
    about = {"batch_id": str(waiting.batch_id), "row": waiting.row}
    log.error("Batch row broken", **about, exc_info=error)
    await database.transact(_fail_row, waiting)


async def _fail_row(tx: Tx, waiting: Waiting) -> None:
    if await store.take(tx, [waiting]):
        broken = RowBroken("Something went wrong here. Send this order again.")
        path = batch_path(waiting.batch_id)
        await store.settle(tx, waiting, [_settled(waiting.row, broken, path)])


def _settled(row: int, answer: Answer, path: str) -> StoredRow:
    if isinstance(answer, Refused):
        return failed_row(row, None, answer, path)
    return StoredRow(
        row=row,
        idempotency_key=None,
        status=RowStatus.PLACED if answer.is_news else RowStatus.REPLAYED,
        order_id=answer.order.id,
    )


def failed_row(row: int, key: str | None, error: Refused, path: str) -> StoredRow:
    return StoredRow(
        row=row,
        idempotency_key=key,
        status=RowStatus.FAILED,
        problem=json.dumps(problem(error, instance=path), default=str),
    )


def batch_path(id: UUID) -> str:
    return f"/v1/orders/batches/{id}"
