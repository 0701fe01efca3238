"""What people meet when something is not as it should be."""

import re
from uuid import uuid4

from playwright.async_api import expect

from tests.console.browser.test_orders import a_confirmed_order, an_order_of

BY_CODE = {"sign_in": {"by": "code", "origin": "", "client_id": "", "scopes": []}}
BLOCKED = "<html><body>Request blocked.</body></html>"


async def test_where_staff_sign_in_a_link_signs_nobody_in(sit_down, stack):
    async with sit_down() as desk:
        answer = {"json": BY_CODE}
        await desk.page.route("**/config.json", lambda route: route.fulfill(**answer))

        await desk.open(f"/#token={stack.signer.token()}")

        await desk.button("Sign in").wait_for()
        assert await desk.page.evaluate("sessionStorage.length") == 0
        assert desk.page.url == f"{desk.url}/"


async def test_a_view_that_breaks_says_so_and_the_others_are_open(desk, shop):
    desk.expected = "TypeError|undefined"
    order = await an_order_of(shop)
    path = f"**/v1/orders/{order['id']}"
    await desk.page.route(path, lambda route: route.fulfill(json={}))
    await desk.open(f"/orders/{order['id']}")

    await desk.sees("This page cannot be shown", desk.heading)
    await desk.sees("Nothing was changed", desk.page.get_by_role("alert"))
    await desk.page.unroute(path)
    await desk.button("Try again").click()
    await desk.sees(order["number"], desk.heading)


async def test_a_view_that_broke_is_left_like_any_other(desk, shop):
    desk.expected = "TypeError|undefined"
    order = await an_order_of(shop)
    path = f"**/v1/orders/{order['id']}"
    await desk.page.route(path, lambda route: route.fulfill(json={}))
    await desk.open(f"/orders/{order['id']}")
    await desk.sees("This page cannot be shown", desk.heading)

    await desk.page.get_by_role("link", name="Stock").click()

    await desk.sees("Stock", desk.heading)


async def test_what_a_firewall_refuses_is_not_put_down_to_the_token(desk):
    desk.expected = "403"
    answer = {
        "status": 403,
        "body": BLOCKED,
        "content_type": "text/html",
        "headers": {"X-Amz-Cf-Id": "request-4711"},
    }
    await desk.page.route("**/v1/orders?*", lambda route: route.fulfill(**answer))

    await desk.page.get_by_role("link", name="Orders", exact=True).click()

    alert = desk.page.get_by_role("alert")
    await desk.sees("request-4711", alert)
    await desk.sees("A firewall", alert)


async def test_single_keys_are_turned_off_for_good(desk):
    await desk.button("Keyboard shortcuts").click()
    await desk.page.get_by_label("Single keys").uncheck()
    await desk.page.keyboard.press("Escape")
    await desk.open("/")

    await desk.page.keyboard.press("2")
    await desk.page.keyboard.press("?")

    await expect(desk.page.get_by_role("dialog")).to_have_count(0)
    await desk.sees("Overview", desk.heading)
    await desk.button("Keyboard shortcuts").click()
    await expect(desk.page.get_by_label("Single keys")).not_to_be_checked()


async def test_an_id_is_copied_where_the_browser_has_no_clipboard(desk, shop):
    order = await an_order_of(shop)
    copied = (
        "Object.defineProperty(navigator, 'clipboard', {value: undefined});"
        "addEventListener('copy', () => { window.copied = String(getSelection()"
        " || document.activeElement.value) })"
    )
    await desk.page.add_init_script(copied)
    await desk.open(f"/orders/{order['id']}")

    await desk.button("Copy order id").click()

    await desk.sees("order id copied.")
    assert await desk.page.evaluate("window.copied") == order["id"]


async def test_what_is_being_typed_outlives_what_happens_meanwhile(desk, shop):
    order = await a_confirmed_order(shop, quantity=3)
    await desk.open(f"/orders/{order['id']}")
    await desk.button("Ship…").click()
    dialog = desk.page.get_by_role("dialog")
    units = dialog.get_by_role("spinbutton")
    await units.fill("1")
    await dialog.get_by_label("Carrier").fill("Acme Par")
    timeline = desk.panel("Timeline")

    await shop.cancel(order["id"], [{"line": 1, "quantity": 1}])
    await desk.sees("order cancelled", timeline)
    await dialog.get_by_label("Carrier").press_sequentially("cels")

    await expect(dialog.get_by_label("Carrier")).to_have_value("Acme Parcels")
    await expect(dialog.get_by_label("Carrier")).to_be_focused()
    await expect(units).to_have_value("1")


async def test_a_hidden_tab_asks_for_nothing_and_catches_up_when_seen(desk, shop):
    await desk.open("/orders")
    await desk.table("Orders, newest first").wait_for()
    await hide(desk, hidden=True)
    asked = []
    desk.page.on("request", lambda request: asked.append(request.url))

    order = await a_confirmed_order(shop)
    await desk.page.wait_for_timeout(2500)  # facts are heard within one second

    assert asked == []
    await hide(desk, hidden=False)
    await desk.sees("confirmed", desk.page.get_by_role("row", name=order["number"]))


async def hide(desk, *, hidden: bool) -> None:
    await desk.page.evaluate(
        f"Object.defineProperty(document, 'hidden',"
        f" {{value: {str(hidden).lower()}, configurable: true}});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )


async def test_an_order_is_found_by_its_number_whatever_was_chosen(desk, shop):
    order = await an_order_of(shop, customer_id=uuid4().hex)
    await desk.open("/orders?by=customer_id")
    rows = desk.table("Orders, newest first").locator("tbody tr")

    await desk.page.get_by_role("searchbox", name="Find").fill(order["number"].lower())
    await desk.button("Find").click()

    await expect(rows).to_have_count(1)
    await desk.sees(order["number"], rows)


async def test_what_is_not_found_is_offered_to_be_found_otherwise(desk, shop):
    order = await an_order_of(shop, customer_id=uuid4().hex)
    await desk.open("/orders")
    await desk.page.get_by_role("searchbox", name="Find").fill(order["customer_id"])
    await desk.button("Find").click()
    await desk.sees(re.compile("No order has the reference"))

    await desk.page.get_by_role("link", name="customer").click()

    await desk.sees(order["number"], desk.table("Orders, newest first"))
