import asyncio
from uuid import uuid4

import pytest
from sqlalchemy import select

from chassis.outbox import outbox
from tests.orders.factories import a_body
from tests.orders.storefront import have_settled, pointers, post, problem, stored


async def test_placing_an_order_answers_with_it(client):
    body = a_body()

    answer = await post(client, body)

    assert answer.status_code == 201
    order = answer.json()
    assert answer.headers["location"] == f"/v1/orders/{order['id']}"
    sent = {name: value for name, value in body.items() if name != "hold_id"}
    where = {"pending": 2, "reserved": 0, "backordered": 0}
    rest = {"shipped": 0, "cancelled": 0, "returned": 0}
    assert order == sent | {
        "id": order["id"],
        "number": "W-1000001",
        "status": "placed",
        "lines": [{"line": 1, **body["lines"][0], **where, **rest}],
        "payment": body["payment"] | {"status": "captured"},
        "version": 1,
        "placed_at": order["placed_at"],
        "decided_at": None,
        "updated_at": order["placed_at"],
        "attention": None,
    }


async def test_what_may_be_left_out_has_a_default(client):
    body = a_body(total=2500)
    body["payment"]["captured"] = 2500
    body["lines"][0] = {"sku": "SOAP-5L", "quantity": 2, "unit_price": 1250}
    for name in ("reference", "policy", "shipping", "hold_id"):
        del body[name]

    order = (await post(client, body)).json()

    assert (order["reference"], order["policy"]) == (None, "all_or_nothing")
    assert order["shipping"] == {"price": 0, "tax": 0}


async def test_what_is_optional_comes_back_as_it_was_sent(client):
    body = a_body()
    body["lines"][0]["tax_rate"] = "19.00"
    body["shipping"]["tax_rate"] = "7.00"
    body["ship_to"] |= {"line2": "2nd floor", "region": "Munster"}

    order = (await post(client, body)).json()

    assert order["lines"][0]["tax_rate"] == "19.00"
    assert order["shipping"] == body["shipping"]
    assert order["ship_to"] == body["ship_to"]


async def test_an_order_may_add_to_another(client, database):
    parent = (await post(client, a_body())).json()

    child = (await post(client, a_body(parent_id=parent["id"]))).json()

    assert child["parent_id"] == parent["id"]
    async with database.begin() as tx:
        told = await tx.execute(
            select(outbox.c.data).where(outbox.c.subject == child["id"])
        )
    assert told.scalar_one()["parent_id"] == parent["id"]


async def test_wholesale_may_pay_later_and_wait_for_goods(client):
    terms = {"method": "terms", "net_days": 30}

    order = (
        await post(client, a_body(channel="wholesale", payment=terms, policy=None))
    ).json()

    assert order["number"].startswith("B-")
    assert order["policy"] == "allow_backorder"
    assert order["payment"] == terms | {"status": "due"}


async def test_the_same_sku_may_be_on_two_lines(client):
    body = a_body(total=6533)
    body["lines"] *= 2
    body["payment"]["captured"] = 6533

    order = (await post(client, body)).json()

    assert [(line["line"], line["sku"]) for line in order["lines"]] == [
        (1, "SOAP-5L"),
        (2, "SOAP-5L"),
    ]


async def test_a_retry_is_the_same_order_as_it_is_now(client, database):
    body, key = a_body(), uuid4().hex
    placed = (await post(client, body, key=key)).json()
    await have_settled(database, placed["id"], reserved=2)

    answer = await post(client, dict(reversed(body.items())), key=key)

    assert answer.status_code == 200
    assert answer.headers["idempotent-replayed"] == "true"
    assert answer.headers["location"] == f"/v1/orders/{placed['id']}"
    assert (answer.json()["id"], answer.json()["status"]) == (placed["id"], "confirmed")
    assert await stored(database) == 1


async def test_many_clients_with_the_same_key_get_one_order(client, database):
    body, key = a_body(), uuid4().hex

    answers = await asyncio.gather(*(post(client, body, key=key) for _ in range(20)))

    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.text for answer in answers}) == 1
    assert await stored(database) == 1


async def test_a_key_with_another_body_is_refused(client):
    key = uuid4().hex
    await post(client, a_body(), key=key)

    answer = await post(client, a_body(), key=key)

    assert problem(answer) == (422, "idempotency_key_reused")


async def test_a_payment_pays_one_order(client, allowed, database):
    body = a_body()
    placed = (await post(client, body)).json()

    again = await post(client, body)
    other_body = await post(client, body | {"reference": "another cart"})
    other_client = await post(client, body, **allowed(client_id="another"))

    assert (again.status_code, again.json()["id"]) == (200, placed["id"])
    assert problem(other_body) == (409, "payment_already_used")
    assert problem(other_client) == (409, "payment_already_used")
    assert await stored(database) == 1


async def test_the_same_key_of_two_customers_is_two_orders(client, allowed):
    key = uuid4().hex

    answers = [
        await post(
            client, a_body(customer_id=customer), key=key, **allowed(customer=customer)
        )
        for customer in ("c-1", "c-2")
    ]

    assert [answer.status_code for answer in answers] == [201, 201]


async def test_figures_that_differ_are_both_named(client, database):
    total = await post(client, a_body(total=3559))
    body = a_body()
    body["payment"]["captured"] = 3557
    captured = await post(client, body)

    assert (pointers(total), pointers(captured)) == (["/total"], ["/payment/captured"])
    assert "3558" in total.text
    assert "3559" in total.text
    assert "3558" in captured.text
    assert "3557" in captured.text
    assert await stored(database) == 0


async def test_the_ways_to_pay_are_named_to_whom_uses_none_of_them(client):
    answer = await post(client, a_body(payment={"method": "cash"}))

    (fault,) = answer.json()["errors"]
    assert fault["pointer"] == "/payment"
    assert "'prepaid', 'terms'" in fault["detail"]


async def test_terms_are_refused_outside_wholesale(client):
    answer = await post(client, a_body(payment={"method": "terms", "net_days": 30}))

    assert pointers(answer) == ["/payment/method"]


@pytest.mark.parametrize(
    "scopes",
    [("orders.write",), ("channel.web",), ("orders.write", "channel.mobile")],
)
async def test_a_token_needs_the_scopes_of_writing_and_of_the_channel(
    client, allowed, database, scopes
):
    answer = await post(client, a_body(), **allowed(*scopes))

    assert problem(answer) == (403, "missing_scope")
    assert await stored(database) == 0


async def test_a_customers_token_places_that_customers_orders_only(client, allowed):
    own = await post(client, a_body(), **allowed(customer="c-42"))
    other = await post(client, a_body(), **allowed(customer="c-43"))

    assert own.status_code == 201
    assert problem(other) == (403, "other_customer")


async def test_a_key_is_required(client):
    answer = await client.post("/v1/orders", json=a_body())

    assert problem(answer) == (400, "idempotency_key_missing")


async def test_an_order_can_be_looked_at(client):
    placed = await post(client, a_body())
    location = placed.headers["location"]

    answer = await client.get(location)

    assert answer.json() == placed.json()
    known = {"If-None-Match": answer.headers["etag"]}
    assert (await client.get(location, headers=known)).status_code == 304


async def test_another_customers_order_is_as_if_unknown(client, allowed):
    placed = await post(client, a_body())
    unknown = f"/v1/orders/{uuid4()}"

    own = await client.get(placed.headers["location"], headers=allowed(customer="c-42"))
    others = [
        await client.get(path, headers=allowed(customer="c-43"))
        for path in (placed.headers["location"], unknown)
    ]

    assert own.status_code == 200
    assert [problem(other) for other in others] == [(404, "order_not_found")] * 2
    bodies = [other.json() | {"instance": ""} for other in others]
    assert bodies[0] == bodies[1]


async def test_a_fixed_word_is_not_taken_for_an_id(client):
    answer = await client.get("/v1/orders/batches")

    assert problem(answer) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"
    assert (await client.get("/v1/orders/no-id")).status_code == 404


async def test_reading_needs_its_scope(client, allowed):
    answer = await client.get(f"/v1/orders/{uuid4()}", headers=allowed("orders.write"))

    assert problem(answer) == (403, "missing_scope")


async def test_the_api_describes_itself(client):
    document = (await client.get("/v1/orders/openapi.json")).json()

    operation = document["paths"]["/v1/orders"]["post"]
    assert operation["operationId"] == "place_order"
    assert {"200", "201", "default"} <= operation["responses"].keys()
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/OrderBody"}
    assert document["components"]["schemas"]["OrderBody"]["examples"]
