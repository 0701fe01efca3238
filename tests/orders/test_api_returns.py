from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from tests.orders.after_placing import (
    have_settled,
    path_of,
    place,
    placed_and_shipped,
    post,
)
from tests.orders.factories import units
from tests.orders.storefront import problem


async def test_a_return_is_authorised_and_can_be_looked_at(client, database):
    order = await placed_and_shipped(client, database)
    body = {"lines": [{"line": 1, "quantity": 1}], "reason": "Does not fit"}

    answer = await post(client, path_of(order, "returns"), body)

    assert answer.status_code == 201
    authorised = answer.json()
    assert authorised == {
        "id": authorised["id"],
        "order_id": order["id"],
        "status": "authorised",
        "lines": [{"line": 1, "quantity": 1, "received": 0}],
        "reason": "Does not fit",
        "authorised_at": authorised["authorised_at"],
        "expires_at": authorised["expires_at"],
    }
    days = datetime.fromisoformat(authorised["expires_at"]) - datetime.fromisoformat(
        authorised["authorised_at"]
    )
    assert days == timedelta(days=30)
    location = answer.headers["location"]
    assert location == path_of(order, f"returns/{authorised['id']}")
    assert (await client.get(location)).json() == authorised
    listed = (await client.get(path_of(order, "returns"))).json()
    assert listed == {"items": [authorised], "next_cursor": None}


async def test_a_retried_return_is_the_same_one(client, database):
    order, key = await placed_and_shipped(client, database), uuid4().hex
    body = {"lines": [{"line": 1, "quantity": 2}]}

    first = await post(client, path_of(order, "returns"), body, key=key)
    again = await post(client, path_of(order, "returns"), body, key=key)

    assert (again.status_code, again.text) == (201, first.text)


async def test_goods_that_are_back_are_shown(client, database):
    order = await placed_and_shipped(client, database)

    await have_settled(database, order, units(2, shipped=2, returned=1), version=2)

    (back,) = (await client.get(path_of(order, "returns"))).json()["items"]
    assert (back["status"], back["authorised_at"]) == ("received", None)
    assert back["lines"] == [{"line": 1, "quantity": 0, "received": 1}]


async def test_what_cannot_come_back_is_refused_with_its_reason(client, database):
    rejected, placed = await place(client), await place(client)
    shipped = await placed_and_shipped(client, database)
    await have_settled(database, rejected, units(2))

    async def refusal(order: dict[str, Any], line: int = 1, quantity: int = 3) -> Any:
        body = {"lines": [{"line": line, "quantity": quantity}]}
        return problem(await post(client, path_of(order, "returns"), body))

    assert await refusal(rejected) == (409, "order_rejected")
    assert await refusal(placed) == (409, "nothing_to_return")
    assert await refusal(shipped) == (409, "more_than_shipped")
    assert await refusal(shipped, line=2) == (422, "invalid_lines")
