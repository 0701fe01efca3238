from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from contracts.orders import Policy
from inventory.domain.reservations import Reservation
from inventory.handlers.orders import follow_orders
from tests.inventory.factories import an_order, cancelled, placed, stocked

V1 = "/v1/inventory"


@pytest.fixture
async def order(database) -> Reservation:
    """Three pieces of soap are kept for it, of five."""
    order = an_order(("SOAP", 3))
    await database.transact(stocked, ("SOAP", 5))
    await database.transact(follow_orders, [placed(order)])
    return order


async def post(
    client: httpx.AsyncClient, path: str, body: dict[str, Any], *, key: str = ""
) -> httpx.Response:
    headers = {"Idempotency-Key": key or str(uuid4())}
    return await client.post(f"{V1}/{path}", json=body, headers=headers)


def a_shipment(order_id: UUID, *lines: tuple[int, int]) -> dict[str, Any]:
    return {
        "order_id": str(order_id),
        "carrier": "An Post",
        "tracking": "CE1",
        "lines": [{"line": line, "quantity": quantity} for line, quantity in lines]
        or None,
    }


def a_return(order_id: UUID, *lines: tuple[int, int, str]) -> dict[str, Any]:
    return {
        "order_id": str(order_id),
        "return_id": str(uuid4()),
        "location": "CORK",
        "lines": [
            {"line": line, "quantity": quantity, "condition": condition}
            for line, quantity, condition in lines
        ],
    }


async def test_goods_leave_and_are_shown(client, order):
    sent = await post(client, "shipments", a_shipment(order.order_id, (1, 2)))

    assert sent.status_code == 201
    shown = sent.json()
    assert shown | {"id": "", "shipped_at": ""} == {
        "id": "",
        "order_id": str(order.order_id),
        "carrier": "An Post",
        "tracking": "CE1",
        "lines": [{"line": 1, "quantity": 2, "cost": 1400}],
        "shipped_at": "",
    }


async def test_without_lines_everything_that_is_kept_leaves(client, order):
    sent = await post(client, "shipments", {"order_id": str(order.order_id)})

    assert sent.json()["lines"] == [{"line": 1, "quantity": 3, "cost": 2100}]
    assert sent.json()["carrier"] is None


async def test_a_shipment_sent_twice_with_one_key_left_once(client, order):
    body = a_shipment(order.order_id, (1, 1))

    first = await post(client, "shipments", body, key="parcel-1")
    again = await post(client, "shipments", body, key="parcel-1")

    assert (again.status_code, again.json()) == (201, first.json())
    (shelf,) = (await client.get(f"{V1}/stock")).json()["items"]
    assert (shelf["on_hand"], shelf["reserved"]) == (4, 2)


async def test_a_shipment_of_more_than_is_reserved_says_how_much_is(client, order):
    refused = await post(client, "shipments", a_shipment(order.order_id, (1, 4)))

    assert (refused.status_code, refused.json()["code"]) == (409, "more_than_reserved")
    assert refused.json()["lines"] == [{"line": 1, "asked": 4, "reserved": 3}]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"order_id": str(uuid4())}, 404, "reservation_not_found"),
        ({"lines": [{"line": 2, "quantity": 1}]}, 422, "unknown_line"),
        ({"lines": []}, 422, "invalid"),
        ({"lines": [{"line": 1, "quantity": 0}]}, 422, "invalid"),
        ({"tracking": "CE\n1"}, 422, "invalid"),
        ({"carrier": "x" * 33}, 422, "invalid"),
        ({"colour": "red"}, 422, "invalid"),
    ],
)
async def test_what_cannot_leave_is_refused(client, order, change, status, code):
    refused = await post(client, "shipments", a_shipment(order.order_id) | change)

    assert (refused.status_code, refused.json()["code"]) == (status, code)
    (shelf,) = (await client.get(f"{V1}/stock")).json()["items"]
    assert shelf["on_hand"] == 5


async def test_goods_come_back_and_are_shown(client, order):
    await post(client, "shipments", a_shipment(order.order_id))
    body = a_return(order.order_id, (1, 1, "resellable"), (1, 2, "damaged"))

    came = await post(client, "return-receipts", body)

    assert came.status_code == 201
    assert came.json() | {"id": "", "received_at": ""} == {
        "id": "",
        "order_id": str(order.order_id),
        "return_id": body["return_id"],
        "location": "CORK",
        "lines": [
            {"line": 1, "quantity": 2, "condition": "damaged", "cost": 1400},
            {"line": 1, "quantity": 1, "condition": "resellable", "cost": 700},
        ],
        "received_at": "",
    }
    (shelf,) = (await client.get(f"{V1}/stock")).json()["items"]
    assert (shelf["on_hand"], shelf["available"]) == (3, 3)


async def test_goods_come_back_beside_a_line_that_nobody_described(client, database):
    order = an_order(("SOAP", 2), ("NOTHING", 1), policy=Policy.ALLOW_PARTIAL)
    await database.transact(stocked, ("SOAP", 2))
    await database.transact(follow_orders, [placed(order)])
    await post(client, "shipments", a_shipment(order.order_id))
    body = a_return(order.order_id, (1, 2, "resellable"))

    came = await post(client, "return-receipts", body)

    assert came.status_code == 201
    seen = (await client.get(f"{V1}/reservations/{order.order_id}")).json()
    figures = [(n["shipped"], n["returned"], n["short"]) for n in seen["lines"]]
    assert figures == [(2, 2, 0), (0, 0, 1)]


async def test_a_return_of_more_than_was_shipped_says_how_much_was(client, order):
    await post(client, "shipments", a_shipment(order.order_id, (1, 2)))
    body = a_return(order.order_id, (1, 3, "damaged"))

    refused = await post(client, "return-receipts", body)

    assert (refused.status_code, refused.json()["code"]) == (409, "more_than_shipped")
    assert refused.json()["lines"] == [
        {"line": 1, "asked": 3, "shipped": 2, "returned": 0}
    ]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"order_id": str(uuid4())}, 404, "reservation_not_found"),
        ({"location": "MOON"}, 422, "unknown_location"),
        ({"lines": []}, 422, "invalid"),
        (
            {"lines": [{"line": 1, "quantity": 1, "condition": "wet"}]},
            422,
            "invalid",
        ),
    ],
)
async def test_what_cannot_come_back_is_refused(client, order, change, status, code):
    await post(client, "shipments", a_shipment(order.order_id))
    body = a_return(order.order_id, (1, 1, "damaged")) | change

    refused = await post(client, "return-receipts", body)

    assert (refused.status_code, refused.json()["code"]) == (status, code)


async def test_a_reservation_shows_all_that_became_of_it(client, database, order):
    request = cancelled(order.order_id, {1: 1})
    await database.transact(follow_orders, [request])
    sent = await post(client, "shipments", a_shipment(order.order_id, (1, 1)))
    back = a_return(order.order_id, (1, 1, "resellable"))
    came = await post(client, "return-receipts", back)

    seen = (await client.get(f"{V1}/reservations/{order.order_id}")).json()

    assert seen["cancellations"] == [
        {
            "id": str(request.data.cancellation_id),
            "lines": [{"line": 1, "asked": 1, "released": 1}],
        }
    ]
    assert (seen["shipments"], seen["returns"]) == ([sent.json()], [came.json()])
    assert (seen["version"], seen["cause"]) == (4, "returned")
    (line,) = seen["lines"]
    assert line["allocations"] == [{"location": "CORK", "reserved": 1, "shipped": 1}]


async def test_an_order_that_was_only_cancelled_is_not_there_yet(client, database):
    order_id = uuid4()
    await database.transact(follow_orders, [cancelled(order_id, {1: 1})])

    answer = await client.get(f"{V1}/reservations/{order_id}")

    assert answer.status_code == 404


async def test_open_reservations_are_listed_in_pages_the_oldest_first(client, database):
    await database.transact(stocked, ("SOAP", 2))
    orders = [
        an_order(("SOAP", 1), policy=Policy.ALLOW_BACKORDER, placed_after_s=9 - number)
        for number in range(5)
    ]
    await database.transact(follow_orders, [placed(order) for order in orders])
    await database.transact(follow_orders, [cancelled(orders[4].order_id, {1: 1})])
    await database.transact(follow_orders, [cancelled(uuid4(), {1: 1})])

    async def page(**wanted: Any) -> tuple[list[str], str | None]:
        found = (await client.get(f"{V1}/reservations", params=wanted)).json()
        return [item["order_id"] for item in found["items"]], found["next_cursor"]

    first, cursor = await page(state="open", limit=3)
    rest, last = await page(state="open", limit=3, cursor=cursor)

    assert first + rest == [str(o.order_id) for o in reversed(orders[:4])]
    assert last is None
    assert (await page(state="closed"))[0] == [str(orders[4].order_id)]


async def test_a_state_that_is_none_is_refused(client):
    for state in ("awaited", "lost"):
        answer = await client.get(f"{V1}/reservations", params={"state": state})
        assert answer.status_code == 422, state
        (fault,) = answer.json()["errors"]
        assert fault["detail"] == "Input should be 'open' or 'closed'"
