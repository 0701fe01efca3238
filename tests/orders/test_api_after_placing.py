from uuid import uuid4

import pytest

from tests.orders.after_placing import path_of, place, post
from tests.orders.storefront import problem


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
