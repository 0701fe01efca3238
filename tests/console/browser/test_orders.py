import re
from uuid import uuid4

from playwright.async_api import expect

from tests.flows.shop import an_order


async def an_order_of(shop, quantity=2, *, received=10, **changes):
    """A placed order of a new product: the order as it was answered."""
    sku = await shop.stock_up(received)
    placed = await shop.place(an_order((sku, quantity), **changes), key=uuid4().hex)
    return placed.json()


async def a_confirmed_order(shop, quantity=2):
    order = await an_order_of(shop, quantity)
    return await shop.until_order(order["id"], status="confirmed")


async def test_an_order_is_seen_confirmed_as_it_happens(desk, shop):
    await desk.sees("Stream: live")

    order = await an_order_of(shop)

    happened = re.compile(rf"{order['number']} order confirmed")
    await desk.sees(happened, desk.panel("What happens"))
    await desk.sees("confirmed", desk.panel("Orders of the last 30 minutes"))


async def test_the_overview_tells_how_long_decisions_took_before_it_was_opened(
    desk, shop
):
    await a_confirmed_order(shop)

    await desk.open("/")

    await desk.sees(re.compile(r"\d m?s.*median of the newest"), desk.tile("Placed"))


async def test_the_list_shows_a_new_order_without_being_told_to(desk, shop):
    await desk.open("/orders")

    order = await an_order_of(shop)

    row = desk.page.get_by_role("row", name=order["number"])
    await desk.sees("confirmed", row)
    await desk.sees("€35.59", row)


async def test_an_order_is_found_by_its_reference_and_by_its_id(desk, shop):
    order = await an_order_of(shop, reference=uuid4().hex)
    await desk.open("/orders")
    rows = desk.table("Orders, newest first").locator("tbody tr")

    await desk.page.get_by_role("searchbox", name="Find").fill(order["reference"])
    await desk.button("Find").click()
    await expect(rows).to_have_count(1)
    await desk.page.get_by_role("searchbox", name="Find").fill(order["id"])
    await desk.button("Find").click()

    await desk.sees(order["number"], desk.heading)


async def test_choosing_a_filter_leaves_the_focus_and_what_is_typed(desk):
    await desk.open("/orders")
    typed = desk.page.get_by_role("searchbox", name="Find")
    await typed.fill("not sent yet")
    state = desk.page.get_by_label("State")
    await state.focus()

    await state.select_option("shipped")

    await desk.page.wait_for_url("**/orders?status=shipped")
    await expect(state).to_be_focused()
    await expect(typed).to_have_value("not sent yet")


async def test_lists_are_walked_a_page_at_a_time(desk, shop):
    customer = uuid4().hex
    sku = await shop.stock_up(100)
    for _ in range(51):
        await shop.place(an_order((sku, 1), customer_id=customer), key=uuid4().hex)
    await desk.open(f"/orders?by=customer_id&find={customer}")
    rows = desk.table("Orders, newest first").locator("tbody tr")

    await expect(rows).to_have_count(50)
    await desk.button("Next →").click()
    await expect(rows).to_have_count(1)
    await desk.button("← Back").click()

    await expect(rows).to_have_count(50)


async def test_an_order_is_cancelled_and_its_refund_shows(desk, shop):
    order = await a_confirmed_order(shop)
    await desk.open(f"/orders/{order['id']}")

    await desk.does("Cancel…", "Cancel these units", Reason="Ordered twice")

    await desk.sees("cancelled", desk.heading)
    await desk.sees("Ordered twice", desk.panel("Reservation"))
    await desk.sees("requested", desk.panel("Refunds"))
    await desk.sees("CRN-", desk.panel("Documents"))


async def test_an_order_is_shipped_and_its_timeline_tells_of_three_services(desk, shop):
    order = await a_confirmed_order(shop)
    await desk.open(f"/orders/{order['id']}")

    await desk.does("Ship…", "Ship", Carrier="An Post", Tracking="CE123")

    timeline = desk.panel("Timeline")
    await desk.sees("shipped", desk.heading)
    await desk.sees(re.compile(r"orders\s+order shipped"), timeline)
    await desk.sees(re.compile(r"inventory\s+shipment: 2 units"), timeline)
    await desk.sees(re.compile(r"accounting\s+posted order shipped"), timeline)
    await desk.sees("An Post, CE123", desk.panel("Reservation"))


async def test_goods_come_back(desk, shop):
    order = await a_confirmed_order(shop)
    await shop.ship(order["id"])
    await shop.until_order(order["id"], status="shipped")
    await desk.open(f"/orders/{order['id']}")

    await desk.does("Return…", "Authorise", Reason="Does not fit")
    await desk.does("Receive return…", "Receive")

    await desk.sees(re.compile(r"orders\s+order returned"), desk.panel("Timeline"))
    await desk.sees(re.compile(r"received\s+Does not fit"), desk.panel("Reservation"))


async def test_an_invoice_is_had_as_pdf(desk, shop):
    order = await a_confirmed_order(shop)
    await desk.open(f"/orders/{order['id']}")

    async with desk.page.expect_download() as downloading:
        await desk.panel("Documents").get_by_role("button").click()

    download = await downloading.value
    assert re.fullmatch(r"INV-\d{4}-\d{6}\.pdf", download.suggested_filename)
    assert (await download.path()).read_bytes().startswith(b"%PDF")


async def test_pressing_twice_ships_once(desk, shop):
    order = await a_confirmed_order(shop)
    await desk.open(f"/orders/{order['id']}")
    await desk.button("Ship…").click()

    sending = desk.page.get_by_role("dialog").locator("[type=submit]")
    await sending.evaluate("(button) => { button.click(); button.click(); }")

    await desk.sees("Shipped.")
    assert len(desk.posted) == 1


async def test_a_lost_answer_is_asked_for_again_under_the_same_key(desk, shop):
    order = await a_confirmed_order(shop)
    await desk.open(f"/orders/{order['id']}")
    desk.expected = "Failed to load resource: net::ERR_FAILED"
    lost: list[object] = []

    async def lose_the_first(route):
        if lost:
            await route.continue_()
        else:
            lost.append(await route.fetch())
            await route.abort()

    await desk.page.route("**/v1/inventory/shipments", lose_the_first)
    await desk.does("Ship…", "Ship")

    await desk.sees("Shipped.")
    keys = {request.headers["idempotency-key"] for request in desk.posted}
    assert (len(desk.posted), len(keys)) == (2, 1)
    kept = await shop.get(f"/v1/inventory/reservations/{order['id']}")
    assert len(kept["shipments"]) == 1
