"""What is true of every page: anybody can use it, on anything."""

import os
from pathlib import Path
from uuid import uuid4

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from tests.flows.conftest import a_shop
from tests.flows.shop import an_order

SCREENS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 800}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 800}},
    "phone": {"color_scheme": "light", "viewport": {"width": 375, "height": 700}},
}
PAGES = {
    "overview": "/",
    "orders": "/orders",
    "order": "/orders/{order}",
    "levels": "/stock",
    "low": "/stock?tab=low",
    "movements": "/stock?tab=movements",
    "to-ship": "/stock?tab=ship",
    "product": "/stock?product=SOAP-5L",
    "balance": "/books",
    "ageing": "/books?tab=ageing",
    "invoices": "/books?tab=invoices",
    "credit-notes": "/books?tab=credit-notes",
    "refunds": "/books?tab=refunds",
    "revenue": "/books?tab=revenue",
    "operations": "/operations",
    "nowhere": "/nowhere",
}
GOES_TO = """(address) => {
    history.pushState(null, "", address);
    dispatchEvent(new PopStateEvent("popstate"));
}"""
PARTS = """() => [...document.querySelectorAll(
    "#content :is(h1, h2, form, nav, table, .empty, .timeline, .tiles)")]
    .map((part) => `${part.tagName} ${part.className}`)"""
RULES = {
    "runOnly": [
        "wcag2a",
        "wcag2aa",
        "wcag21a",
        "wcag21aa",
        "wcag22aa",
        "best-practice",
    ],
    "resultTypes": ["violations"],  # of the rest, megabytes would be told
}


@pytest.fixture(scope="session")
async def some_order(stack):
    """One of everything, so that no page is empty: the order's id."""
    async with a_shop(stack) as shop:
        sold = an_order(("SOAP-5L", 3), ("BRUSH-DECK", 1))
        order = (await shop.place(sold, key=uuid4().hex)).json()
        await shop.until_order(order["id"], status="confirmed")
        await shop.ship(order["id"], [{"line": 1, "quantity": 2}])
        await shop.until_order(order["id"], status="partially_shipped")
        await shop.cancel(order["id"], [{"line": 2, "quantity": 1}])
        return order["id"]


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("page", PAGES)
async def test_it_is_accessible_and_fits(page, screen, sit_down, stack, some_order):
    async with sit_down(stack.signer.token(), **SCREENS[screen]) as desk:
        await desk.open(PAGES[page].format(order=some_order))
        await settled(desk)

        await keep(desk, f"{page}-{screen}")
        assert await violations(desk) == []
        assert await overhang(desk) == 0


async def test_pages_are_alike_however_one_comes_to_them(desk, some_order):
    """From another one as when they are loaded: what is on them, and in which order."""
    addresses = [page.format(order=some_order) for page in PAGES.values()]
    came_to: dict[str, list[list[str]]] = {}
    for address in [*addresses, *reversed(addresses)]:
        await desk.page.evaluate(GOES_TO, address)
        await settled(desk)
        came_to.setdefault(address, []).append(await parts(desk))
    for address in addresses:
        await desk.open(address)
        await settled(desk)

        loaded = await parts(desk)
        assert came_to[address] == [loaded] * 2, address
        assert "NAV pager" not in loaded[:-1], address


async def parts(desk) -> list[str]:
    return await desk.page.evaluate(PARTS)


async def test_on_a_phone_what_became_of_an_order_is_in_sight(
    sit_down, stack, some_order
):
    async with sit_down(stack.signer.token(), **SCREENS["phone"]) as desk:
        await desk.open(f"/orders/{some_order}")
        lines = desk.panel("Lines")
        await lines.scroll_into_view_if_needed()

        for units in ("1 reserved", "2 shipped", "1 cancelled"):
            await expect(lines.get_by_text(units)).to_be_in_viewport(ratio=1)
        table = lines.get_by_role("group", name="Lines")
        assert await table.evaluate("table => table.scrollWidth <= table.clientWidth")


async def test_on_a_phone_the_chosen_tab_is_in_sight(sit_down, stack):
    async with sit_down(stack.signer.token(), **SCREENS["phone"]) as desk:
        await desk.open("/books?tab=revenue")

        tab = desk.page.get_by_role("link", name="Revenue")
        await expect(tab).to_be_in_viewport(ratio=0.9)


@pytest.mark.parametrize("screen", SCREENS)
async def test_dialogs_are_accessible_and_fit(screen, sit_down, stack, some_order):
    async with sit_down(stack.signer.token(), **SCREENS[screen]) as desk:
        await desk.open(f"/orders/{some_order}")
        await desk.button("Ship…").click()

        await keep(desk, f"dialog-{screen}")
        assert await violations(desk) == []
        assert await overhang(desk) == 0


@pytest.mark.parametrize("screen", SCREENS)
async def test_the_way_in_is_accessible_and_fits(screen, sit_down):
    async with sit_down(**SCREENS[screen]) as desk:
        await desk.open("/")
        await desk.sees("A token")

        await keep(desk, f"sign-in-{screen}")
        assert await violations(desk) == []
        assert await overhang(desk) == 0


async def test_the_first_tab_leads_past_the_navigation(desk):
    await desk.page.keyboard.press("Tab")
    await expect(desk.page.get_by_role("link", name="To the content")).to_be_focused()

    await desk.page.keyboard.press("Enter")

    await expect(desk.page.locator("#content")).to_be_focused()


async def test_keys_lead_to_places_and_say_which(desk):
    await desk.page.keyboard.press("2")
    await desk.page.get_by_role("heading", name="Orders").wait_for()
    await desk.page.keyboard.press("/")
    await expect(desk.page.get_by_role("searchbox", name="Find")).to_be_focused()
    await desk.page.keyboard.type("2")
    await desk.page.locator("#content").focus()

    await desk.page.keyboard.press("?")

    await desk.sees("Operations", desk.page.get_by_role("dialog"))


async def test_a_chosen_colour_stays(desk):
    await desk.page.get_by_label("Colours").select_option("dark")

    await desk.open("/orders")

    ground = "getComputedStyle(document.body).backgroundColor"
    assert await desk.page.evaluate(ground) == "rgb(20, 23, 26)"


async def test_the_policy_lets_nothing_be_loaded_from_elsewhere(desk):
    answer = await desk.open("/orders")

    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'self'; connect-src 'self';")
    assert "unsafe" not in policy


async def settled(desk) -> None:
    await expect(desk.page.locator(".skeleton")).to_have_count(0, timeout=20_000)
    await expect(desk.page.locator("h1")).to_have_count(1)


async def keep(desk, name: str) -> None:
    """Put a picture of it where ORDERLY_SCREENSHOTS says, to be looked at."""
    if folder := os.environ.get("ORDERLY_SCREENSHOTS"):
        await desk.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


async def violations(desk) -> list[str]:
    found = await Axe().run(desk.page, options=RULES)
    return [
        f"{one['id']}: {one['help']}: {node['html']}"
        for one in found.response["violations"]
        for node in one["nodes"]
    ]


async def overhang(desk) -> int:
    root = "document.documentElement"
    return await desk.page.evaluate(f"{root}.scrollWidth - {root}.clientWidth")
