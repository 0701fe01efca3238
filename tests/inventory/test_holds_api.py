from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from inventory.commands.reservations import reserve_orders
from tests.inventory.factories import an_order, stocked

V1 = "/v1/inventory"


@pytest.fixture
async def checkout(client, database, issuer):
    """A storefront whose token can do nothing but hold, and five of soap."""
    await database.transact(stocked, ("SOAP", 5))
    client.headers.update(issuer.headers("inventory.hold"))
    return client


async def hold(
    client: httpx.AsyncClient, quantity: int, key: str = "", **more: Any
) -> httpx.Response:
    headers = more.pop("headers", {})
    return await client.post(
        f"{V1}/holds",
        json={"lines": [{"sku": "SOAP", "quantity": quantity}]} | more,
        headers={"Idempotency-Key": key or str(uuid4())} | headers,
    )


async def available(client: httpx.AsyncClient, issuer: Any) -> int:
    found = await client.get(
        f"{V1}/availability?sku=SOAP", headers=issuer.headers("inventory.read")
    )
    free: int = found.json()["items"][0]["available"]
    return free


async def test_a_checkout_holds_units_for_ten_minutes(checkout, issuer):
    answer = await hold(checkout, 2)
    seen = await checkout.get(answer.headers["Location"])

    assert (answer.status_code, seen.status_code) == (201, 200)
    assert seen.json() == answer.json()
    expires_at = datetime.fromisoformat(answer.json()["expires_at"])
    assert (
        timedelta(minutes=9) < expires_at - datetime.now(UTC) <= timedelta(minutes=10)
    )
    assert answer.json()["lines"] == [{"sku": "SOAP", "quantity": 2}]
    assert answer.json()["status"] == "held"
    assert await available(checkout, issuer) == 3


async def test_a_hold_asked_for_twice_with_one_key_is_one(checkout, issuer):
    first, again = [await hold(checkout, 2, key="cart-9f") for _ in range(2)]

    assert first.json() == again.json()
    assert await available(checkout, issuer) == 3


async def test_what_cannot_be_held_is_answered_with_what_is_free(checkout, issuer):
    answer = await hold(checkout, 6)

    assert (answer.status_code, answer.json()["code"]) == (409, "not_available")
    assert answer.json()["available"] == [
        {"sku": "SOAP", "quantity": 6, "available": 5}
    ]
    assert await available(checkout, issuer) == 5


async def test_a_hold_is_given_back_once(checkout, issuer):
    made = (await hold(checkout, 2)).headers["Location"]

    answers = [(await checkout.delete(made)).status_code for _ in range(2)]

    assert answers == [204, 204]
    assert (await checkout.get(made)).json()["status"] == "released"
    assert await available(checkout, issuer) == 5


async def test_a_hold_that_has_an_order_is_not_given_back(checkout, database):
    made = await hold(checkout, 2)
    order = an_order(("SOAP", 2), hold_id=UUID(made.json()["id"]))
    await database.transact(reserve_orders, [order])

    answer = await checkout.delete(made.headers["Location"])

    assert (answer.status_code, answer.json()["code"]) == (409, "hold_consumed")


async def test_a_customer_has_only_holds_of_its_own(checkout, issuer):
    ada, bob = (
        issuer.headers("inventory.hold", customer=name) for name in ("ada", "bob")
    )
    path = (await hold(checkout, 1, headers=ada)).headers["Location"]
    unknown = f"{V1}/holds/{uuid4()}"

    for ask in (checkout.get, checkout.delete):
        others, nobodys = [await ask(path, headers=bob), await ask(unknown)]
        assert (others.status_code, nobodys.status_code) == (404, 404)
        assert others.json()["code"] == nobodys.json()["code"] == "hold_not_found"
    assert (await checkout.get(path, headers=ada)).status_code == 200


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"expires_in": 0}, "/expires_in"),
        ({"expires_in": 3601}, "/expires_in"),
        ({"lines": []}, "/lines"),
        ({"lines": [{"sku": "SOAP", "quantity": 0}]}, "/lines/0/quantity"),
        ({"colour": "red"}, "/colour"),
    ],
)
async def test_a_hold_that_cannot_be_is_refused(checkout, change, pointer):
    answer = await hold(checkout, 1, **change)

    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


async def test_holds_ask_for_a_scope_of_their_own_or_to_write(checkout, issuer):
    reader, writer = issuer.headers("inventory.read"), issuer.headers("inventory.write")

    assert (await hold(checkout, 1, headers=reader)).status_code == 403
    assert (await hold(checkout, 1, headers=writer)).status_code == 201
