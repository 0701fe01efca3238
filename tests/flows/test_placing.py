"""What happens to an order, from the request to the books."""

from uuid import uuid4

import pytest

from tests.flows.shop import Shop, an_order

pytestmark = pytest.mark.xdist_group("stack")  # there is one: one worker


async def test_an_order_with_enough_stock_is_confirmed_and_invoiced_once(shop: Shop):
    sku = await shop.stock_up(10)

    answer = await shop.place(an_order((sku, 3)), key=uuid4().hex, Prefer="wait=10")

    order = answer.json()
    assert (answer.status_code, order["status"]) == (201, "confirmed")
    assert [line["reserved"] for line in order["lines"]] == [3]
    assert await shop.stock(sku) == (10, 3)
    (invoice,) = await shop.invoices(order["id"])
    assert invoice["total"] == order["total"]
    entries = await shop.everything("/v1/accounting/entries", order_id=order["id"])
    for entry in entries:
        assert sum(p["debit"] - p["credit"] for p in entry["postings"]) == 0


async def test_an_order_without_stock_is_rejected_and_its_refund_is_posted(shop: Shop):
    sku = await shop.stock_up(2)

    answer = await shop.place(an_order((sku, 3)), key=uuid4().hex, Prefer="wait=10")

    order = answer.json()
    assert order["status"] == "rejected"
    assert await shop.stock(sku) == (2, 0)
    (refund,) = await shop.until_some("/v1/accounting/refunds", order_id=order["id"])
    assert (refund["amount"], refund["status"]) == (order["total"], "requested")


async def test_a_backordered_order_is_filled_by_a_receipt(shop: Shop):
    sku = await shop.stock_up(0)
    order = an_order((sku, 4), policy="allow_backorder")
    placed = (await shop.place(order, key=uuid4().hex, Prefer="wait=10")).json()
    assert [line["backordered"] for line in placed["lines"]] == [4]

    await shop.receive(sku, 4)

    async def is_reserved() -> bool:
        now = await shop.get(f"/v1/orders/{placed['id']}")
        return [line["reserved"] for line in now["lines"]] == [4]

    await shop.until(is_reserved)
