"""What is not accepted: the code says why, and nothing is stored."""

import json
from uuid import uuid4

import httpx
import pytest

from orderly.stack.stack import Stack
from orderly.tokens import Signer
from tests.flows.shop import JSON, Shop, an_order

pytestmark = pytest.mark.xdist_group("stack")  # there is one: one worker


class Attempt:
    """To place an order, in a way that is refused."""

    def __init__(self, shop: Shop) -> None:
        self.good = an_order(("ANY", 1))
        self._shop = shop
        self._key = uuid4().hex

    async def __call__(
        self, order: JSON | bytes | None = None, **headers: str
    ) -> httpx.Response:
        if order is None:
            order = self.good
        content = order if isinstance(order, bytes) else json.dumps(order).encode()
        return await self._shop.http.post(
            "/v1/orders",
            content=content,
            headers={
                "Content-Type": "application/json",
                "Idempotency-Key": self._key,
                **headers,
            },
        )

    async def left_nothing(self) -> bool:
        """Whether the key and the payment are as good as new."""
        return (await self()).status_code == httpx.codes.CREATED


@pytest.fixture
def attempt(shop: Shop) -> Attempt:
    return Attempt(shop)


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


async def test_a_body_that_is_not_json_is_400(attempt):
    answer = await attempt(b'{"channel": ')

    assert problem(answer) == (400, "malformed")
    assert await attempt.left_nothing()


async def test_an_unknown_field_is_named_by_its_pointer(attempt):
    answer = await attempt(attempt.good | {"gift_wrap": True})

    assert problem(answer) == (422, "invalid")
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/gift_wrap"]
    assert await attempt.left_nothing()


async def test_a_missing_key_is_400(attempt, shop: Shop):
    answer = await shop.http.post("/v1/orders", json=attempt.good)

    assert problem(answer) == (400, "idempotency_key_missing")
    assert await attempt.left_nothing()


async def test_no_token_is_401_and_says_how_to_authenticate(attempt):
    answer = await attempt(Authorization="")

    assert problem(answer) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert await attempt.left_nothing()


async def test_a_token_with_another_scope_is_403(attempt, stack: Stack):
    token = stack.signer.token(["orders.read", "channel.web"])

    answer = await attempt(Authorization=f"Bearer {token}")

    assert problem(answer) == (403, "missing_scope")
    assert await attempt.left_nothing()


async def test_an_expired_token_is_401(attempt, stack: Stack):
    token = stack.signer.token(ttl_s=-3600)

    answer = await attempt(Authorization=f"Bearer {token}")

    assert problem(answer) == (401, "invalid_token")
    assert await attempt.left_nothing()


async def test_another_issuers_token_is_401(attempt, stack: Stack):
    token = Signer(stack.signer.key, "https://elsewhere.example").token()

    answer = await attempt(Authorization=f"Bearer {token}")

    assert problem(answer) == (401, "invalid_token")
    assert await attempt.left_nothing()


@pytest.mark.parametrize("quantity", [True, "1", 1.0, 0, -1, 100_001, 2**63])
async def test_what_is_not_a_quantity_is_422(attempt, quantity: object):
    (line,) = attempt.good["lines"]

    answer = await attempt(attempt.good | {"lines": [line | {"quantity": quantity}]})

    assert problem(answer) == (422, "invalid")
    assert answer.json()["errors"][0]["pointer"] == "/lines/0/quantity"
    assert await attempt.left_nothing()


async def test_a_total_that_differs_names_both_figures(attempt):
    total = attempt.good["total"]

    answer = await attempt(attempt.good | {"total": total + 1})

    assert problem(answer)[0] == 422
    assert str(total) in answer.text
    assert str(total + 1) in answer.text
    assert await attempt.left_nothing()


async def test_a_path_that_nobody_has_is_a_problem_too(shop: Shop):
    unknown = await shop.http.get("/v1/unknown?page=1")

    assert problem(unknown) == (404, "not_found")
    assert unknown.json()["instance"] == "/v1/unknown"
    assert problem(await shop.http.get("/v1/orders/not-an-id"))[0] in {404, 422}
