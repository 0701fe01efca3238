import asyncio
import json
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import func, select, text

from chassis.database import Database, Tx
from orders.api import batches as api
from orders.commands import batches
from orders.commands.batches import place_all
from orders.domain.batches import RowStatus
from orders.schema import batch_rows, batch_uploads, orders
from orders.store import batches as store
from tests.orders.factories import a_body
from tests.orders.storefront import post, problem

NDJSON = {"Content-Type": "application/x-ndjson"}


def a_row(**changes: Any) -> dict[str, Any]:
    return {"idempotency_key": uuid4().hex} | a_body() | changes


def lines(*rows: Any) -> bytes:
    texts = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    return "\n".join(texts).encode()


async def upload(
    client: httpx.AsyncClient, content: Any, *, key: str | None = None, **headers: str
) -> httpx.Response:
    return await client.post(
        "/v1/orders/batches",
        content=content,
        headers={"Idempotency-Key": key or uuid4().hex, **NDJSON, **headers},
    )


async def results(client: httpx.AsyncClient, location: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await client.get(
            f"{location}/results", params={"limit": "200"} | cursor
        )
        items += answer.json()["items"]
        if not answer.json()["next_cursor"]:
            return items
        cursor = {"cursor": answer.json()["next_cursor"]}


async def count(database: Database, table: Any) -> int:
    async with database.begin() as tx:
        query = select(func.count()).select_from(table)
        return int((await tx.execute(query)).scalar_one())


async def test_a_batch_is_accepted_and_then_placed(client, database):
    answer = await upload(client, lines(a_row(), a_row()))
    location = answer.headers["location"]

    assert answer.status_code == 202
    assert location == f"/v1/orders/batches/{answer.json()['id']}"
    settled = {"placed": 0, "replayed": 0, "failed": 0}
    assert answer.json().items() >= {"status": "running", "rows": 2, **settled}.items()

    await place_all(database)

    batch = (await client.get(location)).json()
    assert (batch["status"], batch["placed"]) == ("completed", 2)


async def test_each_row_has_its_result(client, database):
    placed = a_row()
    await post(
        client,
        {k: v for k, v in placed.items() if k != "idempotency_key"},
        key=placed["idempotency_key"],
    )
    rows: list[Any] = [
        a_row(),
        placed,
        a_row(total=1),
        "{not json",
        a_row(channel="fax"),
    ]
    location = (await upload(client, lines(*rows))).headers["location"]
    await place_all(database)

    found = await results(client, location)

    assert [result["row"] for result in found] == [1, 2, 3, 4, 5]
    statuses = [result["status"] for result in found]
    assert statuses == ["placed", "replayed", "failed", "failed", "failed"]
    assert [result["idempotency_key"] for result in found[:3]] == [
        row["idempotency_key"] for row in rows[:3]
    ]
    codes = [(r["problem"] or {}).get("code") for r in found]
    assert codes == [None, None, "invalid_order", "malformed", "invalid"]
    assert found[2]["problem"]["errors"][0]["pointer"] == "/total"
    for result in found[:2]:
        order = await client.get(f"/v1/orders/{result['order_id']}")
        assert order.status_code == 200


async def test_a_batch_of_broken_rows_only_is_completed(client):
    answer = await upload(client, lines("{", "[]"))

    assert answer.json().items() >= {"status": "completed", "failed": 2}.items()


async def test_blank_lines_are_no_rows(client):
    answer = await upload(client, b"\n" + lines(a_row()) + b"\r\n\n  \n")

    assert answer.json()["rows"] == 1


async def test_a_batch_sent_again_is_the_same_batch(client, database):
    key, rows = uuid4().hex, lines(*(a_row() for _ in range(3)))
    first = await upload(client, rows, key=key)
    await place_all(database)

    again = await upload(client, rows, key=key)

    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json().items() >= {"status": "completed", "placed": 3}.items()
    assert await count(database, batch_rows) == 3


async def test_a_key_with_another_batch_is_refused(client, database):
    key = uuid4().hex
    await upload(client, lines(a_row()), key=key)

    answer = await upload(client, lines(a_row()), key=key)

    assert problem(answer) == (422, "idempotency_key_reused")
    assert await count(database, batch_rows) == 1


async def test_the_same_rows_under_a_new_key_place_nothing_twice(client, database):
    rows = lines(*(a_row() for _ in range(600)))
    await upload(client, rows)
    await place_all(database)

    again = (await upload(client, rows)).headers["location"]
    await place_all(database)

    assert (await client.get(again)).json().items() >= {
        "status": "completed",
        "placed": 0,
        "replayed": 600,
    }.items()
    assert await count(database, orders) == 600


async def test_rows_with_the_same_key_are_one_order(client, database):
    row = a_row()
    answer = await upload(client, lines(row, row, row | {"reference": "other"}))
    await place_all(database)

    found = await results(client, answer.headers["location"])

    assert [result["status"] for result in found] == ["placed", "replayed", "failed"]
    assert found[2]["problem"]["code"] == "idempotency_key_reused"


async def test_an_upload_that_breaks_off_leaves_nothing(client, database, monkeypatch):
    monkeypatch.setattr(api, "CHUNK_ROWS", 1)

    answer = await upload(
        client, lines(a_row(), a_row(), "x" * (api.MAX_ROW_BYTES + 1))
    )

    assert problem(answer) == (413, "too_large")
    assert await count(database, batch_rows) == 0
    assert await count(database, batch_uploads) == 0


async def an_upload(tx: Tx) -> None:
    """One that was never finished."""
    upload_id, row = (
        uuid4(),
        store.StoredRow(
            row=1, idempotency_key=None, status=RowStatus.FAILED, problem="{}"
        ),
    )
    await store.begin_upload(tx, upload_id)
    await store.add_rows(tx, upload_id, [row])


async def grow_old(tx: Tx) -> None:
    old = "UPDATE batch_uploads SET begun_at = now() - interval '2 days'"
    await tx.execute(text(old))


async def test_an_upload_whose_process_died_is_forgotten_in_time(database):
    await database.transact(an_upload)
    await batches.keep_up(database)
    assert await count(database, batch_rows) == 1
    await database.transact(grow_old)

    await batches.keep_up(database)

    assert (
        await count(database, batch_rows) == await count(database, batch_uploads) == 0
    )


async def test_forgetting_an_upload_spares_what_became_a_batch(client, database):
    await upload(client, lines(a_row()))
    async with database.begin() as tx:
        upload_id = (await tx.execute(select(batch_rows.c.upload_id))).scalar_one()

    await database.transact(store.discard, upload_id)

    assert await count(database, batch_rows) == 1


@pytest.mark.parametrize(
    ("content", "refused"),
    [
        (b"", (422, "no_rows")),
        (b"\n" * 20, (422, "no_rows")),
        (b" " * (api.MAX_BYTES + 1), (413, "too_large")),
        (b"{}\n" * (api.MAX_ROWS + 1), (413, "too_large")),
    ],
    ids=["nothing", "blank lines", "too many bytes", "too many rows"],
)
async def test_what_is_no_batch_is_refused(client, content, refused):
    assert problem(await upload(client, content)) == refused


async def test_a_batch_is_sent_as_ndjson(client):
    headers = {"Content-Type": "application/json"}

    answer = await upload(client, lines(a_row()), **headers)

    assert problem(answer) == (415, "unsupported_media_type")


async def test_a_batch_needs_a_key(client):
    answer = await client.post("/v1/orders/batches", content=b"{}", headers=NDJSON)

    assert problem(answer) == (400, "idempotency_key_missing")


async def test_each_row_is_held_to_what_its_token_may(client, allowed, database):
    scopes = ("orders.write", "orders.read", "channel.web")
    own = allowed(*scopes, customer="c-42")
    rows = [a_row(), a_row(channel="mobile"), a_row(customer_id="c-43")]

    location = (await upload(client, lines(*rows), **own)).headers["location"]
    await place_all(database)

    answer = await client.get(f"{location}/results", headers=own)
    codes = [(item["problem"] or {}).get("code") for item in answer.json()["items"]]
    assert codes == [None, "missing_scope", "other_customer"]


async def test_another_customers_batch_is_as_if_unknown(client, allowed):
    location = (
        await upload(client, lines(a_row()), **allowed(customer="c-42"))
    ).headers["location"]

    for path in (location, f"{location}/results", f"/v1/orders/batches/{uuid4()}"):
        answer = await client.get(path, headers=allowed(customer="c-43"))
        assert problem(answer) == (404, "batch_not_found")


async def test_a_row_that_cannot_be_handled_fails_alone(client, database):
    location = (await upload(client, lines(*(a_row() for _ in range(4))))).headers[
        "location"
    ]
    async with database.begin() as tx:
        await tx.execute(text("UPDATE batch_rows SET asked = '{}' WHERE row = 2"))

    await place_all(database)

    statuses = [result["status"] for result in await results(client, location)]
    assert statuses == ["placed", "failed", "placed", "placed"]


async def test_two_processes_share_a_batch(client, database):
    location = (await upload(client, lines(*(a_row() for _ in range(600))))).headers[
        "location"
    ]

    await asyncio.gather(place_all(database), place_all(database))

    batch = (await client.get(location)).json()
    assert (batch["status"], batch["placed"]) == ("completed", 600)
    assert await count(database, orders) == 600


async def test_2000_rows_sent_twice_are_2000_orders(client, database):
    rows = [a_row() for _ in range(2000)]

    locations = []
    for _ in range(2):
        answer = await upload(client, streamed(rows))
        locations.append(answer.headers["location"])
        await place_all(database)

    statuses = [
        Counter(r["status"] for r in await results(client, path)) for path in locations
    ]
    assert statuses == [{"placed": 2000}, {"replayed": 2000}]
    assert await count(database, orders) == 2000


async def streamed(rows: list[dict[str, Any]]) -> AsyncIterator[bytes]:
    for row in rows:
        yield lines(row) + b"\n"


async def test_an_upload_is_never_held_whole_in_memory(client):
    padded = lines(a_row()) + b" " * 15_000

    async def body() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield padded + b"\n"

    tracemalloc.start()
    answer = await upload(client, body())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert answer.json()["rows"] == 1000
    assert peak < 8 * 1024 * 1024  # of the 16 MB that were sent
