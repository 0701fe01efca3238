import re
from uuid import uuid4

import pytest
from playwright.async_api import expect

from contracts.topology import INVENTORY_FROM_ORDERS
from tests.flows.shop import an_order

ERROR = "Contradiction: 3 units were ordered, and 4 requested"


@pytest.fixture
async def dead_letter(stack):
    """One that was put aside; handled again, it is nothing to do."""
    async with stack.emulator.connect() as aws:
        await aws.send(INVENTORY_FROM_ORDERS.dead_letters, "[]", {"error": ERROR})


@pytest.mark.usefixtures("dead_letter")
async def test_a_dead_letter_says_why_and_is_redriven(desk):
    await desk.open("/operations")
    letters = desk.page.get_by_label("Dead letters of inventory")
    await desk.sees(ERROR, letters)

    await letters.get_by_role("button", name=re.compile("^Redrive ")).last.click()

    await desk.sees("1 dead letter of inventory on its queue again.")
    await desk.sees("There are none")


@pytest.mark.usefixtures("dead_letter")
async def test_all_of_a_service_are_redriven(desk):
    await desk.open("/operations")

    await desk.button("Redrive all of inventory").click()

    await desk.sees("There are none")


@pytest.mark.usefixtures("dead_letter")
async def test_the_overview_tells_of_dead_letters(desk):
    link = desk.page.get_by_role("link", name="See why")

    await link.click()
    await desk.button("Redrive all of inventory").click()

    await desk.sees("There are none")


async def test_the_audit_finds_that_the_services_agree(desk):
    await desk.open("/operations")

    await desk.button("Run the audit").click()

    verdict = desk.page.get_by_text("The three services agree")
    await expect(verdict).to_be_visible(timeout=60_000)
    await desk.sees("units ordered", desk.table("What was compared"))


async def test_the_audit_names_the_orders_that_disagree(desk, shop):
    placed = await shop.place(an_order(("SOAP-5L", 1)), key=uuid4().hex)
    await shop.until_order(placed.json()["id"], status="confirmed")
    await desk.page.route("**/v1/accounting/ops/digest*", miscount)
    await desk.open("/operations")

    await desk.button("Run the audit").click()

    verdict = desk.page.get_by_text("The three services do not agree")
    await expect(verdict).to_be_visible(timeout=90_000)
    await desk.sees("units ordered: orders.requested", desk.panel("Audit"))


async def miscount(route):
    """As if Accounting had heard of a unit more in every order."""
    answer = await route.fetch()
    digest = await answer.json()
    for row in digest.get("items") or digest["buckets"]:
        row["figures"]["requested"] += 1
    await route.fulfill(response=answer, json=digest)
