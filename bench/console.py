"""Whether the console is fast with many orders: `python -m bench.console 100000`.

Repeats a settled order in every table of the three services, spreads the copies over a
month and many customers, and opens the console's pages in Chromium: from asking for a
page until what it is for can be read, several times each. It needs
what `make bench` and `make console-test` install.
"""

import asyncio
import os
import shutil
import sys
from collections.abc import Mapping
from statistics import median
from time import perf_counter

from playwright.async_api import Page, async_playwright

from bench import growth, scenarios
from bench.__main__ import say
from bench.scenarios import SKUS
from bench.site import Site, a_site
from orderly.stack.services import NAMES

CHROMIUMS = ("chromium-headless-shell", "chromium", "chromium-browser")
TIMES = 7
NEWEST = 300  # orders of the last minutes, beside the month's
ROW = "table tbody tr"
SPREAD = "abs(hashint8(serial)::bigint)"
AGE = f"{SPREAD} % (30 * 86400) * interval '1 second'"
# Of the copies, whose numbers are negative; decided as fast as they were.
VARIED = (
    f"""
    UPDATE orders SET customer_id = 'c-' || {SPREAD} % 500,
        reference = 'cart-' || -serial, placed_at = placed_at - {AGE},
        decided_at = decided_at - {AGE}
    WHERE serial < 0
    """,
    f"""
    UPDATE order_lines SET placed_at = orders.placed_at,
        sku = 'SKU-' || {SPREAD} % 2000
    FROM orders WHERE orders.id = order_id AND serial < 0
    """,
    "VACUUM ANALYZE orders, order_lines",
)
# One of the month's; one of the newest has a number that people can read.
OLD = "SELECT id, customer_id, reference FROM orders WHERE serial < 0 LIMIT 1"
NEW = "SELECT 'W-' || serial FROM orders WHERE serial > 0 AND channel = 'web' LIMIT 1"


async def main(orders: int) -> None:
    async with a_site() as site:
        await site.stock_up(SKUS)
        repeated = await growth.patterns(site, NAMES)
        say(f"{orders:,} orders")
        await growth.fill(site, repeated, 1, orders)
        for statement in VARIED:
            await site.admin["orders"].execute(statement)
        await scenarios.settle(site, NEWEST, SKUS)
        say("the console's pages")
        await _show(site, await _pages(site))


async def _pages(site: Site) -> Mapping[str, tuple[str, str]]:
    """By what each is: its address, and what is there once it can be used."""
    ((order, customer, reference),) = await site.admin["orders"].fetch(OLD)
    number = await site.admin["orders"].fetchval(NEW)
    return {
        "overview": ("/", ".tiles .tile:nth-child(7)"),
        "orders": ("/orders", ROW),
        "… by number": (f"/orders?by=number&find={number}", ROW),
        "… by reference": (f"/orders?find={reference}", ROW),
        "… of a customer": (f"/orders?by=customer_id&find={customer}", ROW),
        "… with a SKU": ("/orders?by=sku&find=SKU-7", ROW),
        "… confirmed": ("/orders?status=confirmed", ROW),
        "… from mobile": ("/orders?channel=mobile", f"{ROW}, .empty"),
        "… that need a look": ("/orders?attention=true", f"{ROW}, .empty"),
        "an order": (f"/orders/{order}", ".timeline li"),
        "levels": ("/stock", ROW),
        "movements": ("/stock?tab=movements", ROW),
        "trial balance": ("/books", ROW),
        "receivables": ("/books?tab=ageing", f"{ROW}, .empty"),
        "invoices": ("/books?tab=invoices", ROW),
        "revenue": ("/books?tab=revenue", ".plot, .empty"),
        "operations": ("/operations", ROW),
    }


async def _show(site: Site, pages: Mapping[str, tuple[str, str]]) -> None:
    named = os.environ.get("CHROMIUM")
    chromium = named or next(filter(None, map(shutil.which, CHROMIUMS)), None)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"]
        )
        page = await browser.new_page()
        await page.goto(f"{site.stack.url}/#token={site.token}")
        await page.locator(".tiles").wait_for()
        for name, (path, there) in pages.items():
            url = site.stack.url + path
            took = [await _open(page, url, there) for _ in range(TIMES)]
            print(f"| {name} | {median(took):.0f} | {max(took):.0f} |", flush=True)
        await browser.close()


async def _open(page: Page, url: str, there: str) -> float:
    """Milliseconds, the console's own files included."""
    began = perf_counter()
    await page.goto(url, wait_until="commit")
    await page.locator(there).first.wait_for()
    return (perf_counter() - began) * 1000


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 100_000))
