import json
from typing import Any

import pytest
from pydantic import TypeAdapter
from sqlalchemy import Text, select

from chassis.bodies import parse
from chassis.errors import Unprocessable
from chassis.outbox import outbox
from chassis.queues import transportable
from orders.api.bodies import OrderBody
from orders.domain.orders import MAX_AMOUNT
from tests.orders.factories import a_body
from tests.orders.storefront import pointers, post, stored


def faults(body: dict[str, Any]) -> list[str]:
    with pytest.raises(Unprocessable) as refused:
        parse(TypeAdapter(OrderBody), json.dumps(body))
    return [fault.pointer for fault in refused.value.faults]


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


async def test_skus_that_cannot_be_seen_are_refused(client):
    for sku in ("\uffff", "a\u202eb", "a\x7f", "a b"):
        body = a_body()
        body["lines"][0]["sku"] = sku
        assert (await post(client, body)).status_code == 422, sku
