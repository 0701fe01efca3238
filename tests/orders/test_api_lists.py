from typing import Any

import httpx
import pytest

from tests.orders.after_placing import have_settled, place
from tests.orders.factories import a_body, units
from tests.orders.storefront import problem


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
