"""Many orders in one request, one to a row: taken in at once, placed soon after.

An upload that breaks off leaves nothing: its rows become a batch with the last of them.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import Depends, Request, Response
from pydantic import ConfigDict, StringConstraints, TypeAdapter
from pydantic.config import JsonDict
from sqlalchemy import Row

from chassis.auth import Caller
from chassis.bodies import parse
from chassis.database import Database
from chassis.errors import NotFound, Refused, TooLarge, Unprocessable
from chassis.idempotency import Key, fingerprint
from chassis.ndjson import NdjsonRows
from chassis.pages import Page, Paged
from chassis.routing import HttpRouter
from chassis.shedding import LISTS_AT_ONCE, at_most
from chassis.timers import Timer
from chassis.web import database_of, reader_of, respond, respond_page
from orders.api.asking import asked_order
from orders.api.bodies import EXAMPLE, OrderBody
from orders.api.callers import Reader, Writer, may_see
from orders.api.problems import problems
from orders.api.views import BatchResultView, BatchView
from orders.commands.batches import batch_path, begin_batch, failed_row
from orders.domain.batches import Batch, BatchStatus, RowStatus, batch_id
from orders.store import batches as store
from orders.store.asked import AskedOrder, written
from orders.store.batches import StoredRow

router = HttpRouter(prefix="/v1/orders/batches", tags=["batches"])

_PATH = "/v1/orders/batches/c0a8012e-6f0b-5d7a-9a38-7d1d3f6cf1b2"

MAX_ROWS = 10_000
MAX_BYTES = 16 * 1024 * 1024
MAX_ROW_BYTES = 1024 * 1024
UPLOADS_AT_ONCE = 16
# Of an upload, what is in memory at any time.
CHUNK_ROWS = 250
CHUNK_BYTES = 1024 * 1024


class BatchNotFound(NotFound):
    code = "batch_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such batch.")


class NoRows(Unprocessable):
    code = "no_rows"


_ROW_EXAMPLE: JsonDict = {**EXAMPLE, "idempotency_key": "po-4711-1"}


class RowBody(OrderBody):
    """An order and its key: the one that it would have in a request of its own."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ROW_EXAMPLE]})

    idempotency_key: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,255}$")]

    def order(self) -> OrderBody:
        fields = {name: getattr(self, name) for name in OrderBody.model_fields}
        return OrderBody.model_construct(**fields)


_ROW = TypeAdapter(RowBody)
_LINES = NdjsonRows(RowBody, max_bytes=MAX_BYTES, max_row_bytes=MAX_ROW_BYTES)


@router.post(
    "",
    status_code=202,
    response_model=BatchView,
    responses=problems(
        "/v1/orders/batches", NoRows("There are no rows in this batch.")
    ),
    dependencies=[at_most(UPLOADS_AT_ONCE)],
    summary="Place many orders",
)
async def place_batch(
    caller: Writer,
    key: Key,
    lines: Annotated[AsyncIterator[bytes], Depends(_LINES)],
    request: Request,
) -> Response:
    upload = _Upload(database_of(request), caller, batch_id(caller.client, key))
    batch, is_news = await upload.take(lines)
    _take_up(request)
    headers = {"Location": batch_path(batch.id)}
    if not is_news:
        headers["Idempotent-Replayed"] = "true"
    view = BatchView.model_validate(batch)
    return respond(request, view, status=202, headers=headers)


@router.get(
    "/{batch_id}",
    response_model=BatchView,
    responses=problems(_PATH, BatchNotFound()),
    summary="See how far a batch is",
)
async def get_batch(caller: Reader, batch_id: UUID, request: Request) -> Response:
    batch = await _find(request, caller, batch_id)
    return respond(request, BatchView.model_validate(batch))


@router.get(
    "/{batch_id}/results",
    response_model=Page[BatchResultView],
    responses=problems(f"{_PATH}/results", BatchNotFound()),
    dependencies=[at_most(LISTS_AT_ONCE)],
    summary="See what became of each row",
)
async def list_batch_results(
    caller: Reader, batch_id: UUID, window: Paged, request: Request
) -> Response:
    batch = await _find(request, caller, batch_id)
    rows = await reader_of(request).transact(
        store.find_results, batch.upload_id, window
    )
    return respond_page(request, window, rows, view=_result, key=lambda row: (row.row,))


def _take_up(request: Request) -> None:
    placing: Timer = request.app.state.placing_batches
    database_of(request).note_use()
    placing.nudge()


async def _find(request: Request, caller: Caller, id: UUID) -> Batch:
    batch = await database_of(request).transact(store.get, id)
    if batch is None or not may_see(caller, batch.customer_id):
        raise BatchNotFound
    return batch


def _result(row: Row[Any]) -> BatchResultView:
    return BatchResultView.model_validate(row)


class _Upload:
    """Rows on their way into the database, a chunk at a time."""

    def __init__(self, database: Database, caller: Caller, id: UUID) -> None:
        self._database = database
        self._caller = caller
        self._batch_id = id
        self._upload_id = uuid4()
        self._digest = sha256()
        self._rows = 0
        self._failed = 0

    async def take(self, lines: AsyncIterator[bytes]) -> tuple[Batch, bool]:
        await self._database.transact(store.begin_upload, self._upload_id)
        try:
            await self._store(lines)
            return await self._database.transact(begin_batch, self._batch())
        except Refused:
            await self._database.transact(store.discard, self._upload_id)
            raise

    async def _store(self, lines: AsyncIterator[bytes]) -> None:
        chunk: list[StoredRow] = []
        size = 0
        async for line in lines:
            chunk.append(self._row(line))
            await asyncio.sleep(0)  # others are to be answered between two rows
            size += len(line)
            if len(chunk) == CHUNK_ROWS or size > CHUNK_BYTES:
                await self._flush(chunk)
                chunk, size = [], 0
        await self._flush(chunk)
        if not self._rows:
            raise NoRows("There are no rows in this batch.")

    async def _flush(self, chunk: Sequence[StoredRow]) -> None:
        if chunk:
            await self._database.transact(store.add_rows, self._upload_id, chunk)

    def _row(self, line: bytes) -> StoredRow:
        self._rows += 1
        if self._rows > MAX_ROWS:
            raise TooLarge(f"The batch has more than {MAX_ROWS} rows.")
        key = None
        meant = sha256(line).digest()
        try:
            body = parse(_ROW, line)
            key, meant = body.idempotency_key, fingerprint(body)
            order = asked_order(self._caller, body.order(), key)
        except Refused as refused:
            self._failed += 1
            return failed_row(self._rows, key, refused, batch_path(self._batch_id))
        finally:
            self._digest.update(meant)
        return StoredRow(
            row=self._rows,
            idempotency_key=key,
            status=RowStatus.WAITING,
            asked=written(AskedOrder.of(order)),
        )

    def _batch(self) -> Batch:
        all_failed = self._failed == self._rows
        return Batch(
            id=self._batch_id,
            upload_id=self._upload_id,
            client=self._caller.client,
            customer_id=self._caller.customer_id,
            fingerprint=self._digest.digest(),
            status=BatchStatus.COMPLETED if all_failed else BatchStatus.RUNNING,
            rows=self._rows,
            failed=self._failed,
            created_at=datetime.now(UTC),
        )
