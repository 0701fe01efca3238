"""What people meet when something is not as it should be."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

from playwright.async_api import Locator, Route, expect

from chassis.admission import too_many
from chassis.database import DatabaseUnavailable
from chassis.errors import BROKEN, MEDIA_TYPE, Refused, problem
from chassis.testing import eventually
from tests.console.browser.test_orders import a_confirmed_order, an_order_of

BY_CODE = {"sign_in": {"by": "code", "origin": "", "client_id": "", "scopes": []}}
TRIAL_BALANCE = "**/v1/accounting/reports/trial-balance*"
HALF_AN_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    b'Content-Length: 1000\r\n\r\n{"as_of": '
)
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


async def test_what_had_no_answer_is_asked_again_until_it_has_one(desk):
    """Also on a page that is not asked for every few seconds."""
    desk.expected = "503"
    await desk.page.route(TRIAL_BALANCE, refuses(too_many(1)))
    await desk.page.clock.install()
    await desk.open("/books")
    alert = desk.page.get_by_role("alert")
    await later(desk, alert.get_by_text("More is asked of Orderly than can be done."))
    await desk.sees("asked again by itself", alert)
    await expect(alert).not_to_contain_text("key")

    await desk.page.unroute(TRIAL_BALANCE)

    await later(desk, desk.table("Trial balance").or_(desk.page.locator(".empty")))


async def test_what_was_to_be_done_is_pressed_again_when_its_answer_is_an_error(
    desk, shop
):
    desk.expected = "500"
    order = await a_confirmed_order(shop)
    path = "**/v1/inventory/shipments"
    await desk.page.route(path, refuses(BROKEN))
    await desk.open(f"/orders/{order['id']}")
    await desk.does("Ship…", "Ship")
    alert = desk.page.get_by_role("alert")
    await desk.sees("Something went wrong in Orderly.", alert)
    await desk.sees("Press again: nothing is done twice.", alert)
    await expect(alert).not_to_contain_text("key")

    await desk.page.unroute(path)
    await desk.page.get_by_role("dialog").locator("[type=submit]").click()

    await desk.sees("Shipped.")
    assert len({request.headers["idempotency-key"] for request in desk.posted}) == 1


async def test_an_audit_without_an_answer_says_that_nothing_was_changed(desk):
    desk.expected = "503"
    await desk.page.clock.install()
    await desk.page.route("**/v1/orders/ops/digest*", refuses(too_many(1)))
    await desk.open("/operations")

    await desk.button("Run the audit").click()

    alert = desk.panel("Audit").get_by_role("alert")
    await later(desk, alert)
    await desk.sees("Nothing was changed. Try again in a moment.", alert)


def refuses(error: Refused) -> Callable[[Route], Awaitable[None]]:
    """Answers as a service does."""
    headers = {**error.headers, "Content-Type": MEDIA_TYPE}
    body = json.dumps(problem(error, instance="/"))
    return lambda route: route.fulfill(status=error.status, headers=headers, body=body)


async def test_what_one_service_lacks_is_asked_again_until_it_has_it(desk, shop):
    desk.expected = "503"
    order = await a_confirmed_order(shop)
    path = "**/v1/accounting/entries*"
    await desk.page.route(path, refuses(DatabaseUnavailable("It does not answer.")))
    await desk.page.clock.install()
    await desk.open(f"/orders/{order['id']}")
    timeline = desk.panel("Timeline")
    await later(desk, timeline.get_by_text("does not answer"))
    await desk.sees("order confirmed", timeline)

    await desk.page.unroute(path)

    await later(desk, timeline.get_by_text("posted").first)


async def test_of_what_one_service_lacks_it_is_not_said_that_there_is_none(desk):
    desk.expected = "503"
    path = "**/v1/inventory/ops/*"
    await desk.page.route(path, refuses(DatabaseUnavailable("It does not answer.")))

    await desk.open("/")

    for name in ("Waiting in queues", "Waiting in outboxes", "Dead letters"):
        await desk.sees("inventory not known", desk.tile(name))


async def test_who_is_offline_is_told_so_and_goes_on_when_online(desk):
    desk.expected = "ERR_INTERNET_DISCONNECTED"
    await desk.page.clock.install()
    await desk.open("/stock")
    await desk.page.context.set_offline(offline=True)
    await desk.page.get_by_role("link", name="Books").click()
    await later(desk, desk.page.get_by_text("This browser is offline."))

    await desk.page.context.set_offline(offline=False)

    await later(desk, desk.table("Trial balance").or_(desk.page.locator(".empty")))


async def test_what_is_answered_late_is_said_to_be_waited_for(desk):
    """Which tells nothing of a service: it may be well, and have much to do."""
    answers = asyncio.Event()

    async def hang(route):
        await answers.wait()
        await route.continue_()

    await desk.page.clock.install()
    await desk.page.route("**/v1/orders/counts*", hang)
    await desk.open("/")
    notice = desk.page.get_by_text(
        "Still waiting for an answer: what you see may be old"
    )

    await later(desk, notice)
    answers.set()

    await expect(notice).to_have_count(0)


async def test_a_connection_that_is_dead_is_given_up(desk):
    """It is not closed, as when a machine has moved to another network."""
    hanging = []
    await desk.page.clock.install()
    await desk.page.route(TRIAL_BALANCE, lambda route: hanging.append(route.request))
    await desk.open("/books")

    async def asked_again() -> bool:
        await desk.page.clock.run_for(10_000)
        return len(hanging) > 1

    await eventually(asked_again, within_s=30)
    await desk.page.unroute_all(behavior="ignoreErrors")


async def test_an_answer_that_stops_in_its_middle_is_given_up(desk):
    await desk.page.clock.install()
    async with half_answered(desk, TRIAL_BALANCE) as asked:
        await desk.open("/books")

        async def asked_again() -> bool:
            await desk.page.clock.run_for(10_000)
            return len(asked) > 1

        await eventually(asked_again, within_s=30)


async def test_an_answer_that_is_cut_off_is_asked_for_again_and_then_a_problem(desk):
    desk.expected = "ERR_CONTENT_LENGTH_MISMATCH"
    await desk.page.clock.install()
    async with half_answered(desk, TRIAL_BALANCE, cut_off=True) as asked:
        await desk.open("/books")

        alert = desk.page.get_by_role("alert")
        await later(desk, alert.get_by_text("Orderly does not answer."))

    assert len(asked) > 1
    await desk.sees("asked again by itself", alert)


@asynccontextmanager
async def half_answered(
    desk, path: str, *, cut_off: bool = False
) -> AsyncIterator[list[asyncio.StreamWriter]]:
    """Who asks for the path is told the beginning of an answer."""
    asked: list[asyncio.StreamWriter] = []

    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HALF_AN_ANSWER)
        await writer.drain()
        asked.append(writer)
        if cut_off:
            writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        url = f"http://{host}:{port}/"
        await desk.page.route(path, lambda route: route.continue_(url=url))
        yield asked
        for writer in asked:
            writer.close()


async def later(desk, there: Locator) -> None:
    """As time goes by on the page, which nobody has to wait for."""

    async def is_there() -> bool:
        await desk.page.clock.run_for(1000)
        return await there.is_visible()

    await eventually(is_there, within_s=30)


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


async def test_a_hidden_tab_asks_for_nothing_and_catches_up_when_seen(
    desk, sit_down, stack, shop
):
    """Another one, which is seen, tells when both have heard: each of two orders."""
    await desk.open("/orders")
    await desk.table("Orders, newest first").wait_for()
    async with sit_down(stack.signer.token()) as seen:
        await seen.open("/orders")
        await seen.table("Orders, newest first").wait_for()
        await hide(desk, hidden=True)
        asked = []
        desk.page.on("request", lambda request: asked.append(request.url))
        for _ in range(2):
            order = await a_confirmed_order(shop)
            row = seen.page.get_by_role("row", name=order["number"])
            await seen.sees("confirmed", row)

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
