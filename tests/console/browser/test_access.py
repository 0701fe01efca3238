import re
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import expect

SIGN_IN = {"by": "code", "client_id": "staff", "scopes": ["openid", "orderly/ops"]}


async def test_without_a_token_it_says_how_to_get_one(sit_down):
    async with sit_down() as desk:
        await desk.open("/orders")

        await desk.sees("orderly token")


async def test_a_pasted_token_opens_it(sit_down, stack):
    async with sit_down() as desk:
        await desk.open("/")

        await desk.page.get_by_label("A token").fill(stack.signer.token())
        await desk.button("Use this token").click()

        await desk.sees("Stream: live")


async def test_what_is_no_token_is_not_taken(sit_down):
    async with sit_down() as desk:
        await desk.open("/")

        await desk.page.get_by_label("A token").fill("hunter2")
        await desk.button("Use this token").click()

        await desk.sees("That is no token")


async def test_a_token_in_the_address_is_taken_and_removed(desk):
    await desk.sees("Stream: live")

    assert desk.page.url == f"{desk.url}/"
    assert desk.token not in await desk.page.evaluate("JSON.stringify(localStorage)")


async def test_a_token_that_ran_out_says_so_and_how_to_get_another(sit_down, stack):
    async with sit_down(expected="401") as desk:
        await desk.open("/")

        await desk.page.goto(f"{desk.url}/#token={stack.signer.token(ttl_s=-60)}")

        await desk.sees("Your token is not taken any more")
        await desk.sees("orderly token")


async def test_who_may_not_see_operations_is_told_what_is_missing(sit_down, stack):
    token = stack.signer.token(["orders.read"])
    async with sit_down(token, expected="403") as desk:
        await desk.open("/operations")

        await desk.sees(re.compile("ops"), desk.page.get_by_role("alert").first)


async def test_a_service_that_is_away_is_asked_again_and_people_are_told(desk):
    desk.expected = "503"
    away = True

    async def refuse(route):
        if away:
            await route.fulfill(status=503, json={}, headers={"Retry-After": "1"})
        else:
            await route.continue_()

    await desk.page.route("**/v1/inventory/products?*", refuse)
    await desk.page.get_by_role("link", name="Stock").click()
    await desk.sees("Still waiting for an answer")
    away = False

    await desk.sees("SOAP-5L", desk.table("Products and what is available"))


async def test_signing_out_forgets_the_token(desk):
    await desk.button("Sign out").click()

    await desk.sees("A token")
    assert await desk.page.evaluate("sessionStorage.length") == 0


async def test_staff_sign_in_by_code_and_proof_key(sit_down, stack):
    async with sit_down() as desk:
        asked = {}

        async def authorize(route):
            asked.update(parse_qs(urlsplit(route.request.url).query))
            back = f"{desk.url}/?code=4711&state={asked['state'][0]}"
            await route.fulfill(status=302, headers={"Location": back})

        async def exchange(route):
            asked.update(parse_qs(route.request.post_data))
            await route.fulfill(json={"access_token": stack.signer.token()})

        way = {"sign_in": {**SIGN_IN, "origin": f"{desk.url}/issuer"}}
        await desk.page.route("**/config.json", lambda route: route.fulfill(json=way))
        await desk.page.route("**/issuer/oauth2/authorize?*", authorize)
        await desk.page.route("**/issuer/oauth2/token", exchange)
        await desk.open("/stock")

        await desk.button("Sign in").click()

        await expect(desk.page.get_by_role("heading", name="Stock")).to_be_visible()
        assert asked["code"] == ["4711"]
        assert asked["code_challenge_method"] == ["S256"]
        assert len(asked["code_verifier"][0]) == 43
        assert desk.page.url == f"{desk.url}/stock"
