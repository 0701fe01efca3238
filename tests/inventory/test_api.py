from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import func, select

from contracts.orders import Policy
from inventory.commands.reservations import reserve_orders
from inventory.schema import receipts
from tests.inventory.factories import an_order, stocked

V1 = "/v1/inventory"
SOAP = {"name": "Soap", "unit_cost": 700, "currency": "EUR", "reorder_point": 20}
CORK = {"name": "Cork", "priority": 1}


def a_receipt(*goods: tuple[str, int], **changes: Any) -> dict[str, Any]:
    lines = [{"sku": sku, "quantity": quantity} for sku, quantity in goods]
    return {"location": "CORK", "lines": lines, "reference": "PO-7"} | changes


async def receive(
    client: httpx.AsyncClient, *goods: tuple[str, int], key: str = "", **changes: Any
) -> httpx.Response:
    return await client.post(
        f"{V1}/receipts",
        json=a_receipt(*goods, **changes),
        headers={"Idempotency-Key": key or str(uuid4())},
    )


@pytest.fixture
async def shop(client):
    """A client of an inventory that knows soap and Cork."""
    await client.put(f"{V1}/products/SOAP", json=SOAP)
    await client.put(f"{V1}/locations/CORK", json=CORK)
    return client


async def test_a_product_is_described_and_found(client):
    created = await client.put(f"{V1}/products/SOAP", json=SOAP)
    again = await client.put(f"{V1}/products/SOAP", json=SOAP)
    found = await client.get(f"{V1}/products/SOAP")

    assert (created.status_code, again.status_code) == (201, 200)
    assert found.json() == created.json() == again.json()
    assert found.json() | SOAP | {"sku": "SOAP", "version": 1} == found.json()


async def test_what_has_not_changed_is_not_sent_again(shop):
    tag = (await shop.get(f"{V1}/products/SOAP")).headers["ETag"]

    again = await shop.get(f"{V1}/products/SOAP", headers={"If-None-Match": tag})

    assert again.status_code == 304


async def test_an_unknown_product_is_not_found(client):
    answer = await client.get(f"{V1}/products/NOTHING")

    assert (answer.status_code, answer.json()["code"]) == (404, "product_not_found")


FAULTY: list[tuple[dict[str, object], str]] = [
    ({"unit_cost": -1}, "/unit_cost"),
    ({"unit_cost": 7.5}, "/unit_cost"),
    ({"unit_cost": "700"}, "/unit_cost"),
    ({"currency": "eur"}, "/currency"),
    ({"name": ""}, "/name"),
    ({"name": "a\x00b"}, "/name"),
    ({"colour": "red"}, "/colour"),
]


async def test_a_description_that_cannot_be_is_refused(client):
    for change, pointer in FAULTY:
        answer = await client.put(f"{V1}/products/SOAP", json=SOAP | change)
        assert answer.status_code == 422, pointer
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]

    assert (await client.get(f"{V1}/products/SOAP")).status_code == 404


async def test_a_sku_that_cannot_be_part_of_a_path_is_refused(client):
    for sku in ("a%20b", "a%3Fb", "x" * 65):
        answer = await client.put(f"{V1}/products/{sku}", json=SOAP)
        assert answer.status_code == 422, sku


async def test_products_come_in_pages_and_can_be_looked_for(client):
    for sku in ("C", "A", "B"):
        await client.put(f"{V1}/products/{sku}", json=SOAP | {"name": f"Item {sku}"})

    first = (await client.get(f"{V1}/products", params={"limit": 2})).json()
    rest = await client.get(
        f"{V1}/products", params={"limit": 2, "cursor": first["next_cursor"]}
    )
    found = await client.get(f"{V1}/products", params={"q": "item b"})

    assert [item["sku"] for item in first["items"]] == ["A", "B"]
    assert [item["sku"] for item in rest.json()["items"]] == ["C"]
    assert rest.json()["next_cursor"] is None
    assert [item["sku"] for item in found.json()["items"]] == ["B"]


async def test_locations_are_listed_in_the_order_of_their_preference(client):
    for code, priority in (("DUBLIN", 2), ("CORK", 1), ("BRAY", 2)):
        body = {"name": code, "priority": priority}
        await client.put(f"{V1}/locations/{code}", json=body)

    first = (await client.get(f"{V1}/locations", params={"limit": 2})).json()
    rest = await client.get(f"{V1}/locations", params={"cursor": first["next_cursor"]})

    listed = [item["code"] for item in first["items"] + rest.json()["items"]]
    assert listed == ["CORK", "BRAY", "DUBLIN"]


async def test_goods_come_in_and_are_in_stock(shop):
    received = await receive(shop, ("SOAP", 5), ("SOAP", 2))

    assert received.status_code == 201
    assert received.json()["lines"][0] == {
        "sku": "SOAP",
        "quantity": 5,
        "unit_cost": 700,
    }
    assert (await shop.get(f"{V1}/stock")).json()["items"] == [
        {"sku": "SOAP", "location": "CORK", "on_hand": 7, "reserved": 0, "available": 7}
    ]


async def test_goods_received_twice_with_one_key_came_in_once(shop, database):
    first = await receive(shop, ("SOAP", 5), key="delivery-1")
    again = await receive(shop, ("SOAP", 5), key="delivery-1")
    other = await receive(shop, ("SOAP", 6), key="delivery-1")

    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    async with database.begin() as tx:
        stored = await tx.execute(select(func.count()).select_from(receipts))
        assert stored.scalar_one() == 1


async def test_goods_without_a_key_are_refused(shop):
    answer = await shop.post(f"{V1}/receipts", json=a_receipt(("SOAP", 1)))

    assert (answer.status_code, answer.json()["code"]) == (
        400,
        "idempotency_key_missing",
    )


@pytest.mark.parametrize(
    ("goods", "changes", "code", "pointer"),
    [
        ([("SOAP", 1), ("RUM", 1)], {}, "unknown_product", "/lines/1/sku"),
        ([("SOAP", 1)], {"location": "MOON"}, "unknown_location", "/location"),
        ([("SOAP", 0)], {}, "invalid", "/lines/0/quantity"),
        ([], {}, "invalid", "/lines"),
    ],
)
async def test_goods_that_cannot_come_in_are_refused_with_where(
    shop, goods, changes, code, pointer
):
    answer = await receive(shop, *goods, **changes)

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
    assert (await shop.get(f"{V1}/stock")).json()["items"] == []


async def adjust(shop: httpx.AsyncClient, **changes: Any) -> httpx.Response:
    adjustment = {"location": "CORK", "sku": "SOAP", "delta": -2, "reason": "broken"}
    return await shop.post(
        f"{V1}/adjustments",
        json=adjustment | changes,
        headers={"Idempotency-Key": str(uuid4())},
    )


async def test_an_adjustment_is_answered_with_what_there_is_now(shop):
    await receive(shop, ("SOAP", 5))

    answer = await adjust(shop)

    expected = {"delta": -2, "on_hand": 3, "reserved": 0, "available": 3}
    assert answer.status_code == 201
    assert answer.json() | expected == answer.json()
    (latest, _) = (await shop.get(f"{V1}/movements?sku=SOAP")).json()["items"]
    assert (latest["kind"], latest["reference"]) == ("adjustment", answer.json()["id"])


async def test_an_adjustment_below_what_is_reserved_names_the_orders(shop, database):
    await receive(shop, ("SOAP", 5))
    order = an_order(("SOAP", 4))
    await database.transact(reserve_orders, [order])

    answer = await adjust(shop)

    assert (answer.status_code, answer.json()["code"]) == (409, "below_reserved")
    assert answer.json()["orders"] == [{"order_id": str(order.order_id), "reserved": 4}]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"delta": 0}, "/delta"),
        ({"delta": 1_000_001}, "/delta"),
        ({"delta": "1"}, "/delta"),
        ({"reason": ""}, "/reason"),
        ({"sku": "RUM"}, "/sku"),
        ({"location": "MOON"}, "/location"),
    ],
)
async def test_an_adjustment_that_cannot_be_is_refused(shop, change, pointer):
    answer = await adjust(shop, **change)

    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


async def test_availability_is_told_for_many_products_at_once(shop):
    await receive(shop, ("SOAP", 5))

    answer = await shop.get(f"{V1}/availability", params={"sku": ["RUM", "SOAP"]})

    assert answer.json()["items"] == [
        {"sku": "RUM", "available": 0},
        {"sku": "SOAP", "available": 5},
    ]


async def test_what_an_order_holds_can_be_seen(client, database):
    await database.transact(stocked, ("SOAP", 5))
    order = an_order(("SOAP", 7), policy=Policy.ALLOW_PARTIAL)
    await database.transact(reserve_orders, [order])

    seen = (await client.get(f"{V1}/reservations/{order.order_id}")).json()

    assert (seen["version"], seen["state"], seen["cause"]) == (
        1,
        "open",
        "order_placed",
    )
    (line,) = seen["lines"]
    assert (line["requested"], line["reserved"], line["short"]) == (7, 5, 2)
    assert line["allocations"] == [{"location": "CORK", "reserved": 5, "shipped": 0}]


async def test_an_order_nobody_knows_holds_nothing(client):
    answer = await client.get(f"{V1}/reservations/{uuid4()}")

    assert (answer.status_code, answer.json()["code"]) == (404, "reservation_not_found")


async def test_movements_can_be_looked_for_newest_first(client, database):
    await database.transact(stocked, ("SOAP", 5), ("RUM", 5))
    order = an_order(("SOAP", 2))
    await database.transact(reserve_orders, [order])

    async def found(**wanted: Any) -> list[dict[str, Any]]:
        answer = await client.get(f"{V1}/movements", params=wanted)
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    assert [item["kind"] for item in await found(sku="SOAP")] == [
        "reservation",
        "receipt",
    ]
    (reserved,) = await found(reference=str(order.order_id))
    assert (reserved["reserved_change"], reserved["actor"]) == (2, "orders")
    assert len(await found(location="CORK", limit=2)) == 2
    assert await found(location="MOON") == []


async def test_movements_come_in_pages_that_miss_none(client, database):
    await database.transact(stocked, *((f"SKU-{n}", 1) for n in range(5)))
    seen: list[str] = []
    cursor = None

    while cursor or not seen:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = (await client.get(f"{V1}/movements", params=params)).json()
        seen += [item["sku"] for item in answer["items"]]
        cursor = answer["next_cursor"]

    assert seen == ["SKU-4", "SKU-3", "SKU-2", "SKU-1", "SKU-0"]


async def test_a_cursor_that_is_made_up_is_refused(client):
    for cursor in ("W10", "WyJhIl0", "bm9uc2Vuc2U", "WzEsMl0"):
        answer = await client.get(f"{V1}/movements", params={"cursor": cursor})
        assert answer.status_code == 400, cursor


WRITES = [
    ("PUT", "/products/SOAP"),
    ("PUT", "/locations/CORK"),
    ("POST", "/receipts"),
    ("POST", "/shipments"),
    ("POST", "/return-receipts"),
    ("POST", "/adjustments"),
    ("POST", "/holds"),
    ("GET", f"/holds/{uuid4()}"),
    ("DELETE", f"/holds/{uuid4()}"),
]
READS = [
    ("GET", path)
    for path in (
        "/products",
        "/products/SOAP",
        "/locations",
        "/stock",
        "/availability?sku=SOAP",
        "/movements",
        "/reservations",
        f"/reservations/{uuid4()}",
    )
]


async def test_nobody_gets_in_without_a_token(client):
    for method, path in WRITES + READS:
        answer = await client.request(method, V1 + path, headers={"Authorization": ""})
        assert answer.status_code == 401, path


@pytest.mark.parametrize(
    ("scope", "others"), [("inventory.read", WRITES), ("inventory.write", READS)]
)
async def test_a_token_does_only_what_its_scope_says(client, issuer, scope, others):
    for method, path in others:
        answer = await client.request(method, V1 + path, headers=issuer.headers(scope))
        assert answer.status_code == 403, path
        assert answer.json()["code"] == "missing_scope"


async def test_the_document_shows_every_route_with_an_example(client):
    document = (await client.get(f"{V1}/openapi.json")).json()

    operations = [
        operation
        for path, operations in document["paths"].items()
        if not path.startswith(f"{V1}/ops/")  # what all services have
        for operation in operations.values()
    ]
    assert {operation["operationId"] for operation in operations} == {
        "put_product",
        "get_product",
        "list_products",
        "put_location",
        "list_locations",
        "receive_goods",
        "adjust_stock",
        "hold_units",
        "get_hold",
        "release_hold",
        "list_stock",
        "get_availability",
        "list_movements",
        "get_reservation",
        "list_reservations",
        "ship_order",
        "receive_returned_goods",
    }
    assert all(operation["summary"] for operation in operations)
    schemas = document["components"]["schemas"]
    bodies = [name for name in schemas if name.endswith("Body") and "Line" not in name]
    for name in (*bodies, "ReservationView", "HoldView", "AdjustmentView"):
        assert schemas[name]["examples"]


async def test_a_customers_token_sees_goods_and_not_others_orders(client, issuer):
    customer = issuer.headers("inventory.read", "inventory.write", customer="c-1")
    others = [
        f"{V1}/reservations/{uuid4()}",
        f"{V1}/reservations",
        f"{V1}/movements",
    ]

    for path in others:
        answer = await client.get(path, headers=customer)
        assert (answer.status_code, answer.json()["code"]) == (403, "not_for_customers")
    written = await client.put(f"{V1}/products/SOAP", json=SOAP, headers=customer)
    assert written.status_code == 403
    assert (await client.get(f"{V1}/products", headers=customer)).status_code == 200
