"""What nobody should send: refused with a reason, and never an error of ours."""

import json
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from orders.schema import orders
from tests.orders.factories import a_body
from tests.orders.storefront import post

BODY = json.dumps(a_body())


def with_quantity(literal: str) -> str:
    return BODY.replace('"quantity": 2', f'"quantity": {literal}')


def with_customer(literal: str) -> str:
    return BODY.replace('"c-42"', literal)


HOSTILE = {
    "NUL": with_customer(r'"c\u0000"'),
    "a lone surrogate": with_customer(r'"c\ud800"'),
    "a raw lone surrogate": with_customer('"c')[:-1].encode() + b'\xed\xa0\x80"}',
    "bytes that are no text": b'{"channel": "\xff"}',
    "NaN": with_quantity("NaN"),
    "Infinity": with_quantity("Infinity"),
    "1e400": with_quantity("1e400"),
    "2.0": with_quantity("2.0"),
    "true": with_quantity("true"),
    "a number as text": with_quantity('"2"'),
    "a number of 5000 digits": with_quantity("9" * 5000),
    "beyond 64 bits": with_quantity(str(2**64)),
    "a field twice": BODY.replace('"channel"', '"channel": "mobile", "channel"', 1),
    "a field twice, within": with_quantity('1, "quantity": 2'),
    "an unknown field": BODY.replace('"channel"', '"coupon": 1, "channel"', 1),
    "no object": "[]",
    "null": "null",
    "nothing": "",
    "a thousand levels": "[" * 1000 + "]" * 1000,
    "half of it": BODY[: len(BODY) // 2],
    "two of them": BODY + BODY,
    "a byte order mark": b"\xef\xbb\xbf" + BODY.encode(),
}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=list(HOSTILE))
async def test_it_is_refused_with_a_reason(client, database, hostile):
    answer = await client.post(
        "/v1/orders",
        content=hostile,
        headers={"Idempotency-Key": uuid4().hex, "Content-Type": "application/json"},
    )

    assert answer.status_code in {400, 422}, answer.text
    problem = answer.json()
    assert problem["code"]
    if answer.status_code == 422:
        assert all("pointer" in fault for fault in problem["errors"])
    async with database.begin() as tx:
        count = await tx.execute(select(func.count()).select_from(orders))
        assert count.scalar_one() == 0


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=list(HOSTILE))
async def test_in_a_batch_it_is_a_failed_row(client, hostile):
    row = hostile.encode() if isinstance(hostile, str) else hostile
    row = row.replace(b"{", b'{"idempotency_key": "k", ', 1)

    answer = await client.post(
        "/v1/orders/batches",
        content=b"{}\n" + row,
        headers={
            "Idempotency-Key": uuid4().hex,
            "Content-Type": "application/x-ndjson",
        },
    )

    assert answer.status_code == 202, answer.text
    assert answer.json()["failed"] == answer.json()["rows"]


async def test_an_order_may_have_500_lines_and_no_more(client):
    line: dict[str, Any] = {"sku": "SOAP-5L", "quantity": 1, "unit_price": 100}
    for lines, status in ((500, 201), (501, 422)):
        body = a_body(lines=[line] * lines, total=lines * 100 + 583)
        body["payment"]["captured"] = lines * 100 + 583

        assert (await post(client, body)).status_code == status
