"""What becomes of an order after it was placed: shipped, cancelled, sent back, paid."""

from uuid import uuid4

import pytest

from tests.flows.shop import JSON, Shop, an_order

pytestmark = pytest.mark.xdist_group("stack")  # there is one: one worker

# One unit at 12.50 with 2.38 tax; shipping 4.90 with 0.93; a unit costs 6.40.


async def place(shop: Shop, *lines: tuple[str, int], **changes: object) -> JSON:
    order = an_order(*lines, **changes)
    answer = await shop.place(order, key=uuid4().hex, Prefer="wait=20")
    placed: JSON = answer.json()
    assert placed["status"] == "confirmed", placed
    return placed


async def test_a_shipped_order_is_earned(shop: Shop):
    sku = await shop.stock_up(5)
    order = await place(shop, (sku, 2))

    await shop.ship(order["id"])

    shipped = await shop.until_order(order["id"], status="shipped")
    assert [line["shipped"] for line in shipped["lines"]] == [2]
    assert await shop.stock(sku) == (3, 0)
    await shop.until_balances(
        order["id"],
        {
            "1000": 2 * 1488 + 583,
            "4000": -2500,
            "4010": -490,
            "2100": -(2 * 238 + 93),
            "5000": 1280,
            "1200": -1280,
        },
    )


async def test_goods_that_are_valued_in_dollars_are_sold_for_euros(shop: Shop):
    sku = await shop.stock_up(5, currency="USD")
    order = await place(shop, (sku, 2))

    await shop.ship(order["id"])

    await shop.until_balances(
        order["id"],
        {
            "1000": 2 * 1488 + 583,
            "4000": -2500,
            "4010": -490,
            "2100": -(2 * 238 + 93),
            "5000": 1280,
            "1200": -1280,
        },
    )
    entries = await shop.everything("/v1/accounting/entries", order_id=order["id"])
    in_dollars = {
        posting["account"]
        for entry in entries
        for posting in entry["postings"]
        if posting["currency"] == "USD"
    }
    assert in_dollars == {"5000", "1200"}


async def test_a_cancelled_order_gives_everything_back(shop: Shop):
    sku = await shop.stock_up(5)
    order = await place(shop, (sku, 2))

    cancellation = await shop.cancel(order["id"])

    assert cancellation["status"] == "completed"
    await shop.until_order(order["id"], status="cancelled")
    assert await shop.stock(sku) == (5, 0)
    total = 2 * 1488 + 583
    await shop.until_balances(order["id"], {"1000": total, "2200": -total})
    (note,) = await shop.until_some("/v1/accounting/credit-notes", order_id=order["id"])
    assert note["total"] == total


async def test_what_has_left_cannot_be_cancelled(shop: Shop):
    sku = await shop.stock_up(5)
    order = await place(shop, (sku, 3))
    await shop.ship(order["id"], [{"line": 1, "quantity": 1}])
    await shop.until_order(order["id"], status="partially_shipped")

    cancellation = await shop.cancel(order["id"])

    assert cancellation["status"] == "completed"
    done = await shop.until_order(order["id"], status="shipped")
    assert [(line["shipped"], line["cancelled"]) for line in done["lines"]] == [(1, 2)]
    await shop.until_balances(
        order["id"],
        {
            "1000": 3 * 1488 + 583,
            "2200": -2 * 1488,
            "4000": -1250,
            "4010": -490,
            "2100": -(238 + 93),
            "5000": 640,
            "1200": -640,
        },
    )


async def test_what_is_sent_back_is_refunded_and_sold_again(shop: Shop):
    sku = await shop.stock_up(2)
    order = await place(shop, (sku, 2))
    await shop.ship(order["id"])
    await shop.until_order(order["id"], status="shipped")

    await shop.send_back(order["id"], (1, 1, "resellable"))

    assert await shop.stock(sku) == (1, 0)
    (refund,) = await shop.until_some("/v1/accounting/refunds", order_id=order["id"])
    assert refund["amount"] == 1488
    await shop.until_balances(
        order["id"],
        {
            "1000": 2 * 1488 + 583,
            "2200": -1488,
            "4000": -2500,
            "4200": 1250,
            "4010": -490,
            "2100": -(238 + 93),
            "5000": 640,
            "1200": -640,
        },
    )


async def test_a_backorder_that_is_cancelled_leaves_the_next_goods_to_others(
    shop: Shop,
):
    sku = await shop.stock_up(0)
    waiting = await place(shop, (sku, 4), policy="allow_backorder")
    behind = await place(shop, (sku, 3), policy="allow_backorder")

    await shop.cancel(waiting["id"])
    await shop.receive(sku, 3)

    async def is_reserved() -> bool:
        now = await shop.get(f"/v1/orders/{behind['id']}")
        return [line["reserved"] for line in now["lines"]] == [3]

    await shop.until(is_reserved)
    assert await shop.stock(sku) == (3, 3)


async def test_wholesale_pays_later(shop: Shop):
    sku = await shop.stock_up(5)
    order = await place(
        shop,
        (sku, 2),
        channel="wholesale",
        payment={"method": "terms", "net_days": 30},
    )

    await shop.ship(order["id"])
    (invoice,) = await shop.invoices(order["id"])
    await shop.post(
        "/v1/accounting/payments",
        {
            "customer_id": order["customer_id"],
            "amount": invoice["total"],
            "currency": "EUR",
            "reference": uuid4().hex,
            "invoices": [invoice["number"]],
        },
    )

    paid = await shop.until_it(
        f"/v1/orders/{order['id']}", lambda now: now["payment"]["status"] == "paid"
    )
    assert paid["status"] == "shipped"


async def test_the_timeline_tells_every_fact_in_its_sequence(shop: Shop):
    sku = await shop.stock_up(2)
    order = await place(shop, (sku, 2))
    await shop.ship(order["id"], [{"line": 1, "quantity": 1}])
    await shop.until_order(order["id"], status="partially_shipped")
    await shop.cancel(order["id"])

    facts = await shop.everything(f"/v1/orders/{order['id']}/timeline")

    assert [fact["sequence"] for fact in facts] == [1, 2, 3, 4, 5]
    assert [fact["type"].split(".")[1] for fact in facts] == [
        "order_placed",
        "order_confirmed",
        "order_shipped",
        "order_cancellation_requested",
        "order_cancelled",
    ]
