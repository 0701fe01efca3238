from typing import Any
from uuid import UUID, uuid4

import pytest

from orders.domain.cancellations import Cancellation
from orders.store import cancellations
from tests.orders.after_placing import have_settled, path_of, place, post
from tests.orders.factories import an_answer, units
from tests.orders.storefront import problem


async def test_a_cancellation_is_accepted_and_can_be_looked_at(client):
    order = await place(client)
    body = {"lines": [{"line": 1, "quantity": 1}], "reason": "Ordered twice"}

    answer = await post(client, path_of(order, "cancellations"), body)

    assert answer.status_code == 202
    asked = answer.json()
    assert asked == {
        "id": asked["id"],
        "order_id": order["id"],
        "status": "requested",
        "lines": [{"line": 1, "quantity": 1, "cancelled": 0}],
        "reason": "Ordered twice",
        "requested_at": asked["requested_at"],
        "decided_at": None,
    }
    location = answer.headers["location"]
    assert location == path_of(order, f"cancellations/{asked['id']}")
    assert (await client.get(location)).json() == asked
    listed = (await client.get(path_of(order, "cancellations"))).json()
    assert listed == {"items": [asked], "next_cursor": None}


@pytest.mark.parametrize("body", [{}, {"lines": None}])
async def test_a_cancellation_without_lines_asks_for_all(client, body):
    order = await place(client)

    answer = await post(client, path_of(order, "cancellations"), body)

    assert answer.json()["lines"] == [{"line": 1, "quantity": 2, "cancelled": 0}]


async def test_a_decided_cancellation_says_what_became_of_it(client, database):
    order = await place(client)
    asked = await post(client, path_of(order, "cancellations"), {})
    known = await database.transact(
        cancellations.get, UUID(order["id"]), UUID(asked.json()["id"])
    )
    assert isinstance(known, Cancellation)
    answers = (an_answer(known, {1: 2}),)

    await have_settled(database, order, units(2, released=2), answers=answers)

    shown = (await client.get(asked.headers["location"])).json()
    assert (shown["status"], shown["lines"][0]["cancelled"]) == ("completed", 2)
    assert shown["decided_at"]


async def test_a_retried_cancellation_is_the_same_one(client):
    order, key = await place(client), uuid4().hex
    path = path_of(order, "cancellations")

    first = await post(client, path, {}, key=key)
    again = await post(client, path, {}, key=key)
    other = await post(client, path, {"reason": "another"}, key=key)

    assert (again.status_code, again.text) == (202, first.text)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    assert problem(other) == (422, "idempotency_key_reused")


async def test_what_cannot_be_cancelled_is_refused_with_its_reason(client, database):
    rejected, open_, shipped = [await place(client) for _ in range(3)]
    await have_settled(database, rejected, units(2))
    await have_settled(database, shipped, units(2, shipped=2))
    await post(client, path_of(open_, "cancellations"), {})

    async def refusal(order: dict[str, Any], *lines: dict[str, int]) -> Any:
        body = {"lines": list(lines)} if lines else {}
        return problem(await post(client, path_of(order, "cancellations"), body))

    assert await refusal(rejected) == (409, "order_rejected")
    assert await refusal(shipped) == (409, "nothing_to_cancel")
    assert await refusal(open_) == (409, "nothing_to_cancel")
    assert await refusal(open_, {"line": 1, "quantity": 1}) == (409, "more_than_open")
    assert await refusal(open_, {"line": 2, "quantity": 1}) == (422, "invalid_lines")
