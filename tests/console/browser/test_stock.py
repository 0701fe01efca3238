import re

from playwright.async_api import expect

DELTA = "Units more, or less with a minus"


async def test_goods_are_received(desk, shop):
    sku = await shop.stock_up(5)
    await desk.open(f"/stock?product={sku}")

    await desk.does("Receive…", "Receive", Units="7", Unit_cost_in_EUR="6,50")

    await desk.sees(re.compile(r"cork\s*12\s*0\s*12"), desk.table(f"Stock of {sku}"))
    await desk.sees("+7", desk.table("Movements, newest first"))


async def test_stock_is_adjusted(desk, shop):
    sku = await shop.stock_up(5)
    await desk.open(f"/stock?product={sku}")

    await desk.does("Adjust…", "Adjust", Reason="broken", **{DELTA: "-2"})

    await desk.sees(re.compile(r"cork\s*3\s*0\s*3"), desk.table(f"Stock of {sku}"))


async def test_what_is_refused_says_why_and_stays_open(desk, shop):
    sku = await shop.stock_up(5)
    await desk.open(f"/stock?product={sku}")
    desk.expected = "409"

    await desk.does("Adjust…", "Adjust", Reason="lost", **{DELTA: "-9"})

    problem = desk.page.get_by_role("dialog").get_by_role("alert")
    await expect(problem).to_be_visible()
    await expect(desk.button("Adjust")).to_be_enabled()


async def test_what_runs_low_is_listed(desk, shop):
    sku = await shop.stock_up(0)
    await shop.receive(sku, 1)
    product = {"name": "Mop", "unit_cost": 1, "currency": "EUR", "reorder_point": 3}
    await shop.put(f"/v1/inventory/products/{sku}", product)

    await desk.open("/stock?tab=low")

    await desk.sees(sku, desk.table("Products at or below their reorder point"))


async def test_products_are_found_by_name(desk):
    await desk.open("/stock")

    await desk.page.get_by_role("searchbox").fill("soap")
    await desk.button("Find").click()

    rows = desk.table("Products and what is available").locator("tbody tr")
    await expect(rows).to_have_count(1)
    await desk.sees("Castile soap", rows)
