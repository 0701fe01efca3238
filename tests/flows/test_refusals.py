"""What is not accepted: the code says why, and nothing is stored."""

from uuid import uuid4

import httpx
import pytest

from orderly.stack.stack import Stack
from orderly.tokens import Signer
from tests.flows.shop import JSON, Shop, an_order

pytestmark = pytest.mark.xdist_group("stack")  # there is one: one worker


async def post(shop: Shop, order: JSON, **headers: str) -> httpx.Response:
    key = {"Idempotency-Key": uuid4().hex}
    return await shop.http.post("/v1/orders", json=order, headers=key | headers)


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


async def test_a_body_that_is_not_json_is_400(shop: Shop):
    answer = await shop.http.post(
        "/v1/orders",
        content=b'{"channel": ',
        headers={"Idempotency-Key": uuid4().hex, "Content-Type": "application/json"},
    )

    assert problem(answer) == (400, "malformed")


async def test_an_unknown_field_is_named_by_its_pointer(shop: Shop):
    answer = await post(shop, an_order(("ANY", 1), gift_wrap=True))

    assert problem(answer) == (422, "invalid")
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/gift_wrap"]


async def test_a_missing_key_is_400(shop: Shop):
    answer = await shop.http.post("/v1/orders", json=an_order(("ANY", 1)))

    assert problem(answer) == (400, "idempotency_key_missing")


async def test_no_token_is_401_and_says_how_to_authenticate(shop: Shop):
    answer = await post(shop, an_order(("ANY", 1)), Authorization="")

    assert problem(answer)[0] == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_token_with_another_scope_is_403(shop: Shop, stack: Stack):
    token = stack.signer.token(["orders.read", "channel.web"])

    answer = await post(shop, an_order(("ANY", 1)), Authorization=f"Bearer {token}")

    assert problem(answer)[0] == 403


async def test_an_expired_token_is_401(shop: Shop, stack: Stack):
    token = stack.signer.token(ttl_s=-3600)

    answer = await post(shop, an_order(("ANY", 1)), Authorization=f"Bearer {token}")

    assert problem(answer) == (401, "invalid_token")


async def test_another_issuers_token_is_401(shop: Shop, stack: Stack):
    token = Signer(stack.signer.key, "https://elsewhere.example").token()

    answer = await post(shop, an_order(("ANY", 1)), Authorization=f"Bearer {token}")

    assert problem(answer) == (401, "invalid_token")


@pytest.mark.parametrize("quantity", [True, "1", 1.0, 0, -1, 100_001, 2**63])
async def test_what_is_not_a_quantity_is_422(shop: Shop, quantity: object):
    order = an_order(("ANY", 1))
    order["lines"][0]["quantity"] = quantity

    answer = await post(shop, order)

    assert problem(answer)[0] == 422
    assert answer.json()["errors"][0]["pointer"] == "/lines/0/quantity"


async def test_a_total_that_differs_names_both_figures(shop: Shop):
    order = an_order(("ANY", 1))

    answer = await post(shop, order | {"total": order["total"] + 1})

    assert problem(answer)[0] == 422
    text = answer.text
    assert str(order["total"]) in text
    assert str(order["total"] + 1) in text


async def test_a_refused_order_leaves_its_key_unused(shop: Shop):
    sku, key = await shop.stock_up(1), uuid4().hex
    good = an_order((sku, 1))
    refused = await shop.place(good | {"total": 1}, key=key)
    assert refused.status_code == 422

    placed = await shop.place(good, key=key)

    assert placed.status_code == 201


async def test_a_path_that_nobody_has_is_a_problem_too(shop: Shop):
    assert problem(await shop.http.get("/v1/unknown"))[0] == 404
    assert problem(await shop.http.get("/v1/orders/not-an-id"))[0] in {404, 422}
