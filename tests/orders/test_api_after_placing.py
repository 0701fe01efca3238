from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa

from chassis.database import Database
from chassis.outbox import outbox
from orders.domain.cancellations import Cancellation
from orders.handlers.reservations import settle_orders
from orders.store import cancellations
from tests.orders.factories import (
    a_body,
    an_answer,
    arrived,
    reservation_changed,
    units,
)


async def post(
    client: httpx.AsyncClient, path: str, body: Any, *, key: str = "", **headers: str
) -> httpx.Response:
    keyed = {"Idempotency-Key": key or uuid4().hex, **headers}
    return await client.post(path, json=body, headers=keyed)


async def place(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    placed = await post(client, "/v1/orders", a_body(**changes))
    assert placed.status_code == 201, placed.text
    order: dict[str, Any] = placed.json()
    return order


async def have_settled(
    database: Database, order: dict[str, Any], *lines: Any, **lists: Any
) -> None:
    snapshot = reservation_changed(UUID(order["id"]), *lines, **lists)
    await database.transact(settle_orders, arrived(snapshot))


async def placed_and_shipped(
    client: httpx.AsyncClient, database: Database
) -> dict[str, Any]:
    order = await place(client)
    await have_settled(database, order, units(2, shipped=2))
    return order


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def path_of(order: dict[str, Any], what: str) -> str:
    return f"/v1/orders/{order['id']}/{what}"


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


@pytest.mark.parametrize("what", ["cancellations", "returns"])
@pytest.mark.parametrize(
    "body",
    [
        {"lines": []},
        {"lines": [{"line": 0, "quantity": 1}]},
        {"lines": [{"line": 501, "quantity": 1}]},
        {"lines": [{"line": 1, "quantity": 0}]},
        {"lines": [{"line": 1, "quantity": True}]},
        {"lines": [{"line": 1, "quantity": 1.0}]},
        {"lines": [{"line": 1, "quantity": 100_001}]},
        {"lines": [{"line": 1, "quantity": 1, "why": "so"}]},
        {"lines": [{"line": 1, "quantity": 1}], "reason": ""},
        {"lines": [{"line": 1, "quantity": 1}], "reason": "x" * 501},
        {"lines": [{"line": 1, "quantity": 1}], "reason": "\x00"},
    ],
)
async def test_what_is_out_of_bounds_is_refused(client, what, body):
    answer = await post(client, f"/v1/orders/{uuid4()}/{what}", body)

    assert problem(answer) == (422, "invalid")


async def test_the_timeline_tells_every_fact_in_pages(client, database):
    order = await place(client)
    await have_settled(database, order, units(2, shipped=2))
    path = path_of(order, "timeline")

    first = (await client.get(path, params={"limit": 2})).json()
    cursor = first["next_cursor"]
    rest = (await client.get(path, params={"limit": 2, "cursor": cursor})).json()

    facts = first["items"] + rest["items"]
    assert [(fact["sequence"], fact["type"]) for fact in facts] == [
        (1, "orders.order_placed.v1"),
        (2, "orders.order_confirmed.v1"),
        (3, "orders.order_shipped.v1"),
    ]
    assert facts[0]["data"]["total"] == 3558
    assert datetime.fromisoformat(facts[0]["occurred_at"]) <= datetime.now(UTC)
    assert rest["next_cursor"] is None


async def test_the_timeline_names_the_trace_of_each_fact(client, database):
    order = await place(client)
    await set_traceparent(database, f"00-{'a1' * 16}-{'b2' * 8}-01")

    facts = (await client.get(path_of(order, "timeline"))).json()["items"]

    assert [fact["trace_id"] for fact in facts] == ["a1" * 16]


async def set_traceparent(database, traceparent):
    async with database.begin() as tx:
        await tx.execute(sa.update(outbox).values(traceparent=traceparent))


async def test_what_goods_cost_is_not_told_to_customers(client, database, allowed):
    order = await place(client)
    await have_settled(database, order, units(2, shipped=2))
    path = path_of(order, "timeline")

    ours = (await client.get(path)).json()["items"][-1]["data"]["lines"]
    customer = allowed(customer=order["customer_id"])
    told = (await client.get(path, headers=customer)).json()["items"][-1]["data"]

    assert "cost" in ours[0]
    assert told["lines"] == [{"line": 1, "quantity": 2}]


ROUTES = [
    ("GET", ""),
    ("GET", "/timeline"),
    ("GET", "/cancellations"),
    ("GET", "/cancellations/{id}"),
    ("POST", "/cancellations"),
    ("GET", "/returns"),
    ("GET", "/returns/{id}"),
    ("POST", "/returns"),
]


@pytest.mark.parametrize(("method", "route"), ROUTES)
async def test_another_customers_order_is_as_if_unknown(client, allowed, method, route):
    order = await place(client)
    rest = route.format(id=uuid4())
    body = {"lines": [{"line": 1, "quantity": 1}]} if method == "POST" else None

    answers = [
        await client.request(
            method,
            f"/v1/orders/{id_}{rest}",
            json=body,
            headers={**allowed(customer="c-43"), "Idempotency-Key": uuid4().hex},
        )
        for id_ in (order["id"], uuid4())
    ]

    assert [problem(answer) for answer in answers] == [(404, "order_not_found")] * 2
    theirs, unknown = (answer.json() | {"instance": ""} for answer in answers)
    assert theirs == unknown


async def test_a_customers_own_order_is_open_to_it(client, allowed):
    order = await place(client)
    own = allowed(customer="c-42")

    asked = await post(client, path_of(order, "cancellations"), {}, **own)

    assert asked.status_code == 202
    for path in ("timeline", "cancellations", "returns"):
        assert (await client.get(path_of(order, path), headers=own)).status_code == 200


async def test_what_an_order_does_not_have_is_not_found(client):
    order = await place(client)

    cancellation = await client.get(path_of(order, f"cancellations/{uuid4()}"))
    return_ = await client.get(path_of(order, f"returns/{uuid4()}"))

    assert problem(cancellation) == (404, "cancellation_not_found")
    assert problem(return_) == (404, "return_not_found")


@pytest.mark.parametrize(("method", "route"), ROUTES)
async def test_each_route_needs_its_scope(client, allowed, method, route):
    scope = "orders.read" if method == "POST" else "orders.write"

    answer = await client.request(
        method,
        f"/v1/orders/{uuid4()}{route.format(id=uuid4())}",
        headers=allowed(scope),
    )

    assert problem(answer) == (403, "missing_scope")


async def listed(client: httpx.AsyncClient, **filters: Any) -> list[str]:
    answer = await client.get("/v1/orders", params=filters)
    assert answer.status_code == 200, answer.text
    return [order["id"] for order in answer.json()["items"]]


async def test_orders_are_listed_newest_first_in_pages(client):
    orders = [(await place(client))["id"] for _ in range(5)]

    found: list[str] = []
    params: dict[str, Any] = {"limit": 2}
    while True:
        page = (await client.get("/v1/orders", params=params)).json()
        found += [order["id"] for order in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]

    assert found == orders[::-1]


async def test_a_listed_order_is_shown_as_it_is_by_itself(client):
    order = await place(client)

    (shown,) = (await client.get("/v1/orders")).json()["items"]

    assert shown == order


async def test_orders_are_found_by_what_they_are(client, database):
    lines = a_body()["lines"]
    other_sku = [{**lines[0], "sku": "MOP"}, {**lines[0], "sku": "MOP"}]
    terms = {"method": "terms", "net_days": 30}
    web = (await place(client))["id"]
    mobile = (await place(client, channel="mobile", customer_id="c-7"))["id"]
    b2b = (
        await place(
            client,
            channel="wholesale",
            payment=terms,
            reference="PO-1",
            lines=other_sku,
            total=6533,
        )
    )["id"]
    await have_settled(database, {"id": mobile}, units(2, reserved=2))

    assert await listed(client, status="confirmed") == [mobile]
    assert await listed(client, status="placed") == [b2b, web]
    assert await listed(client, channel="wholesale") == [b2b]
    assert await listed(client, customer_id="c-7") == [mobile]
    assert await listed(client, reference="PO-1") == [b2b]
    assert await listed(client, sku="MOP") == [b2b]
    assert await listed(client, sku="SOAP-5L", limit=1) == [mobile]
    assert await listed(client, sku="SOAP-5L", status="placed") == [web]
    assert await listed(client, sku="none") == []


async def test_orders_with_a_sku_are_listed_in_pages_too(client):
    line = a_body()["lines"][0]
    orders = [
        (
            await place(
                client,
                channel="wholesale",
                payment={"method": "terms", "net_days": 30},
                lines=[line, line],
                total=6533,
            )
        )["id"]
        for _ in range(3)
    ]
    first = await client.get("/v1/orders", params={"sku": "SOAP-5L", "limit": 2})

    cursor = first.json()["next_cursor"]

    assert [order["id"] for order in first.json()["items"]] == orders[:0:-1]
    assert await listed(client, sku="SOAP-5L", limit=2, cursor=cursor) == orders[:1]


async def test_orders_are_found_by_when_they_were_placed(client):
    first, second = await place(client), await place(client)
    since = second["placed_at"]

    assert await listed(client, placed_from=since) == [second["id"]]
    assert await listed(client, placed_to=since) == [first["id"]]
    assert await listed(client, sku="SOAP-5L", placed_to=since) == [first["id"]]
    assert await listed(client, placed_from=since, placed_to=since) == []


async def test_a_customer_sees_no_others_in_the_list(client, allowed):
    own = await place(client)
    await place(client, customer_id="c-7")
    token = allowed(customer="c-42")

    shown = (await client.get("/v1/orders", headers=token)).json()["items"]
    asked = await client.get("/v1/orders", params={"customer_id": "c-7"}, headers=token)

    assert [order["id"] for order in shown] == [own["id"]]
    assert asked.json()["items"] == []


@pytest.mark.parametrize(
    "filters",
    [
        {"status": "lost"},
        {"channel": "fax"},
        {"sku": "with space"},
        {"customer_id": ""},
        {"reference": "x" * 256},
        {"placed_from": "yesterday"},
        {"placed_from": "2026-11-21T09:30:00"},
        {"placed_to": "9999-12-31T23:59:59-23:59"},
        {"placed_to": "0001-01-01T00:00:00+23:59"},
        {"limit": 201},
    ],
)
async def test_filters_that_cannot_be_are_refused(client, filters):
    answer = await client.get("/v1/orders", params=filters)

    assert problem(answer) == (422, "invalid")


async def test_the_document_has_examples_of_what_is_refused(client):
    document = (await client.get("/v1/orders/openapi.json")).json()

    path = document["paths"]["/v1/orders/{order_id}/cancellations"]["post"]
    refusals = path["responses"]["409"]["content"]["application/problem+json"]

    assert set(refusals["examples"]) == {
        "order_rejected",
        "nothing_to_cancel",
        "more_than_open",
        "too_many_cancellations",
    }
