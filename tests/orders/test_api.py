import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from pydantic import TypeAdapter
from sqlalchemy import Text, func, select
from sqlalchemy import text as sql

from chassis.bodies import parse
from chassis.database import Database, Tx
from chassis.errors import Unprocessable
from chassis.outbox import outbox
from chassis.queues import transportable
from chassis.testing import eventually
from orders.api.bodies import OrderBody
from orders.domain.orders import MAX_AMOUNT
from orders.domain.settling import settle
from orders.handlers.reservations import settle_orders
from orders.schema import orders
from orders.store import orders as store
from tests.orders.factories import (
    LATER,
    a_body,
    a_snapshot,
    arrived,
    reservation_changed,
    units,
)


async def post(
    client: httpx.AsyncClient,
    body: dict[str, Any],
    *,
    key: str | None = None,
    **headers: str,
) -> httpx.Response:
    key = key or uuid4().hex
    return await client.post(
        "/v1/orders", json=body, headers={"Idempotency-Key": key, **headers}
    )


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def pointers(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 422, answer.text
    return [fault["pointer"] for fault in answer.json()["errors"]]


def faults(body: dict[str, Any]) -> list[str]:
    with pytest.raises(Unprocessable) as refused:
        parse(TypeAdapter(OrderBody), json.dumps(body))
    return [fault.pointer for fault in refused.value.faults]


async def stored(database: Database) -> int:
    async with database.begin() as tx:
        return (await tx.execute(select(func.count()).select_from(orders))).scalar_one()


async def have_settled(database: Database, order_id: str, reserved: int) -> None:
    snapshot = reservation_changed(UUID(order_id), units(2, reserved=reserved))
    await database.transact(settle_orders, arrived(snapshot))


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
    ("place", "value"),
    [
        ("/channel", "fax"),
        ("/customer_id", ""),
        ("/customer_id", "c" * 65),
        ("/customer_id", "c\x00"),
        ("/customer_id", 42),
        ("/reference", "r" * 256),
        ("/currency", "eur"),
        ("/currency", "EURO"),
        ("/policy", "whatever"),
        ("/lines", []),
        ("/lines", [{"sku": "A", "quantity": 1, "unit_price": 0}] * 501),
        ("/lines/0/sku", "with space"),
        ("/lines/0/sku", "with/slash"),
        ("/lines/0/sku", "S" * 65),
        ("/lines/0/quantity", 0),
        ("/lines/0/quantity", 100_001),
        ("/lines/0/quantity", True),
        ("/lines/0/quantity", "1"),
        ("/lines/0/quantity", 1.0),
        ("/lines/0/unit_price", -1),
        ("/lines/0/unit_price", MAX_AMOUNT + 1),
        ("/lines/0/discount", -1),
        ("/lines/0/tax", -1),
        ("/lines/0/tax_rate", 19),
        ("/lines/0/tax_rate", "19"),
        ("/lines/0/tax_rate", "١٩.00"),
        ("/shipping/price", -1),
        ("/ship_to/name", ""),
        ("/ship_to/postal_code", "1" * 21),
        ("/ship_to/country", "IRL"),
        ("/payment/provider", ""),
        ("/payment/reference", None),
        ("/payment/captured", "3558"),
        ("/hold_id", "not-a-uuid"),
        ("/total", 10**30),
        ("/gift_wrap", True),
        ("/ship_to/planet", "Earth"),
        ("/payment/net_days", 30),
    ],
)
def test_what_is_out_of_bounds_is_pointed_at(place, value):
    body = a_body()
    *path, name = [int(p) if p.isdecimal() else p for p in place[1:].split("/")]
    target: Any = body
    for part in path:
        target = target[part]
    target[name] = value

    assert place in faults(body)


@pytest.mark.parametrize(
    "name",
    ["channel", "customer_id", "currency", "lines", "ship_to", "payment", "total"],
)
def test_what_is_missing_is_pointed_at(name):
    body = a_body()
    del body[name]

    assert faults(body) == [f"/{name}"]


async def test_a_body_that_is_not_valid_is_refused_and_not_stored(client, database):
    answer = await post(client, a_body(gift_wrap=True, currency="eur"))

    assert pointers(answer) == ["/currency", "/gift_wrap"]
    assert await stored(database) == 0


async def test_amounts_beyond_64_bits_are_refused(client):
    body = a_body()
    body["lines"][0] |= {"quantity": 100_000, "unit_price": MAX_AMOUNT}

    assert "/lines" in pointers(await post(client, body))


async def test_the_largest_orders_event_fits_in_a_message(client, database):
    line = {
        "sku": "\N{TEST TUBE}" * 64,
        "quantity": 1,
        "unit_price": 10**9,
        "discount": 10**8,
        "tax": 10**8,
        "tax_rate": "19.00",
    }
    # On the wire SQS and SNS want it as six characters, where JSON has three bytes.
    address = dict.fromkeys(("name", "line1", "line2"), "\uffff" * 200)
    total = 500 * 10**9 + 583
    body = a_body(total=total, lines=[line] * 500)
    body["payment"] |= {"captured": total, "reference": "\x01" * 255}
    body["ship_to"] |= address

    answer = await post(client, body)

    assert answer.status_code == 201, answer.text
    async with database.begin() as tx:
        data = (await tx.execute(select(outbox.c.data.cast(Text)))).scalar_one()
    assert len(transportable(data).encode()) < 240 * 1024


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


async def test_who_prefers_to_wait_gets_the_order_decided(client, database):
    body, key = a_body(), uuid4().hex
    placed = (await post(client, body, key=key)).json()
    wait = {"Prefer": "wait=15"}

    looking = asyncio.create_task(
        client.get(f"/v1/orders/{placed['id']}", headers=wait)
    )
    retrying = asyncio.create_task(post(client, body, key=key, **wait))
    answered, _ = await asyncio.wait({looking, retrying}, timeout=0.3)
    assert not answered
    await have_settled(database, placed["id"], reserved=0)

    for answer in await asyncio.gather(looking, retrying):
        assert answer.headers["preference-applied"] == "wait=15"
        assert answer.json()["status"] == "rejected"


async def test_a_decision_of_another_process_ends_the_wait_too(client, database):
    placed = (await post(client, a_body())).json()
    path, wait = f"/v1/orders/{placed['id']}", {"Prefer": "wait=15"}

    async def settle_elsewhere(tx: Tx) -> None:
        """Nothing is announced here, so nothing wakes who waits here."""
        order = (await store.get_for_update(tx, {UUID(placed["id"])})).popitem()[1]
        settled = settle(order, a_snapshot(units(2, reserved=2)), LATER).order
        await store.save(tx, [settled])

    looking = asyncio.create_task(client.get(path, headers=wait))
    await database.transact(settle_elsewhere)

    assert (await looking).json()["status"] == "confirmed"


async def test_waiting_ends_with_the_time_preferred(client):
    answer = await post(client, a_body(), Prefer="wait=1")

    assert (answer.status_code, answer.json()["status"]) == (201, "placed")
    assert answer.headers["preference-applied"] == "wait=1"


async def test_nobody_waits_longer_than_the_most(client, database):
    placed = await post(client, a_body())
    await have_settled(database, placed.json()["id"], reserved=2)

    answer = await client.get(
        placed.headers["location"], headers={"Prefer": "wait=3600"}
    )

    assert answer.headers["preference-applied"] == "wait=20"


async def test_the_api_describes_itself(client):
    document = (await client.get("/v1/orders/openapi.json")).json()

    operation = document["paths"]["/v1/orders"]["post"]
    assert operation["operationId"] == "place_order"
    assert {"200", "201", "default"} <= operation["responses"].keys()
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/OrderBody"}
    assert document["components"]["schemas"]["OrderBody"]["examples"]


async def test_who_waits_is_answered_when_the_process_leaves(client):
    app = client._transport.app  # noqa: SLF001
    waiting = asyncio.create_task(post(client, a_body(), prefer="wait=20"))

    async def is_waiting() -> bool:
        return bool(app.state.waiters._waiting)  # noqa: SLF001

    await eventually(is_waiting)

    app.state.waiters.close()

    async with asyncio.timeout(5):
        answer = await waiting
    assert (answer.status_code, answer.json()["status"]) == (201, "placed")


async def test_who_waits_gets_what_is_known_when_the_database_goes_away(
    client, database, postgres_url
):
    app = client._transport.app  # noqa: SLF001
    placing = asyncio.create_task(post(client, a_body(), prefer="wait=2"))

    async def is_waiting() -> bool:
        return bool(app.state.waiters._waiting)  # noqa: SLF001

    await eventually(is_waiting)

    async with away(database, postgres_url):
        answer = await placing

    assert (answer.status_code, answer.json()["status"]) == (201, "placed")


@asynccontextmanager
async def away(database: Database, admin_url: str) -> AsyncIterator[None]:
    """It takes no connection meanwhile, and has lost those that were there."""
    async with database.begin() as tx:
        name = (await tx.execute(select(func.current_database()))).scalar_one()

    async def none_left() -> bool:
        await database.let_go()
        return not database.in_use()

    admin = Database(admin_url, application_name="tests")
    async with admin.begin() as tx:
        await tx.execute(sql(f'ALTER DATABASE "{name}" CONNECTION LIMIT 0'))
    await eventually(none_left)
    yield
    async with admin.begin() as tx:
        await tx.execute(sql(f'ALTER DATABASE "{name}" CONNECTION LIMIT -1'))
    await admin.close()


async def test_skus_that_cannot_be_seen_are_refused(client):
    for sku in ("\uffff", "a\u202eb", "a\x7f", "a b"):
        body = a_body()
        body["lines"][0]["sku"] = sku
        assert (await post(client, body)).status_code == 422, sku
