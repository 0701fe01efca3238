"""The routes, by HTTP."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace

from accounting.commands.documents import number_documents
from accounting.handlers.orders import post_orders
from accounting.handlers.stock import post_stock
from accounting.settings import EXAMPLE_SELLER
from tests.accounting.factories import (
    AT,
    UNEVEN,
    a_receipt,
    an_order,
    arriving,
    confirmed,
    goods,
    rejected,
    stories,
    story,
)

BOOKS = ["/accounts", "/entries", "/reports/trial-balance", "/periods"]
PAPERS = [
    "/invoices",
    "/invoices/INV-2026-000001",
    "/credit-notes",
    "/credit-notes/CRN-2026-000001",
    "/refunds",
    "/payments",
]


async def get(client, path, *, expect=200, **params):
    answer = await client.get(f"/v1/accounting{path}", params=params)
    assert answer.status_code == expect, answer.text
    return answer.json()


async def post(database, *facts):
    await database.transact(post_orders, stories(*facts))
    await database.transact(number_documents, EXAMPLE_SELLER)


@pytest.mark.parametrize("path", BOOKS + PAPERS)
async def test_every_route_asks_for_its_scope(passer_by, issuer, path):
    wrong = issuer.headers("accounting.write")

    assert (
        await passer_by.get(f"/v1/accounting{path}", headers=wrong)
    ).status_code == 403
    del passer_by.headers["Authorization"]
    assert (await passer_by.get(f"/v1/accounting{path}")).status_code == 401


async def test_entries_show_what_a_fact_did(client, database):
    placed = an_order()
    (fact,) = story(placed)
    await post(database, [fact])

    page = await get(client, "/entries", order_id=placed.order_id)

    (entry,) = page["items"]
    assert UUID(entry.pop("id"))
    assert entry.pop("posted_at").endswith("Z")
    assert entry == {
        "rule": "order_placed",
        "order_id": str(placed.order_id),
        "source_event_id": str(fact.id),
        "effective_on": "2026-03-01",
        "refers_to": None,
        "postings": [
            {"account": "1000", "debit": 3558, "credit": 0, "currency": "EUR"},
            {"account": "2000", "debit": 0, "credit": 3558, "currency": "EUR"},
        ],
    }


async def test_entries_are_found_by_order_account_and_day(client, database):
    placed, other = an_order(), an_order(placed_at=AT + timedelta(days=2))
    await post(database, story(placed, rejected(placed)), story(other))

    async def rules(**sought):
        page = await get(client, "/entries", **sought)
        return [entry["rule"] for entry in page["items"]]

    both = ["order_placed", "order_rejected"]
    assert await rules(order_id=placed.order_id) == both
    assert await rules(account="2200") == ["order_rejected"]
    assert await rules(**{"from": "2026-03-02"}) == ["order_placed"]
    assert await rules(to="2026-03-01") == both
    assert await rules(**{"from": "2026-03-01", "to": "2026-03-03"}) == [
        *both,
        "order_placed",
    ]
    assert await rules(order_id=uuid4()) == []


async def test_entries_come_in_pages_in_the_order_of_the_journal(client, database):
    days = [AT + timedelta(days=n) for n in (2, 0, 1, 0, 2)]
    await post(database, *(story(an_order(placed_at=day)) for day in days))

    page = await get(client, "/entries", limit=2)
    seen = [entry["effective_on"] for entry in page["items"]]
    while page["next_cursor"]:
        page = await get(client, "/entries", limit=2, cursor=page["next_cursor"])
        seen += [entry["effective_on"] for entry in page["items"]]

    assert seen == [f"2026-03-0{n}" for n in (1, 1, 2, 3, 3)]


async def test_an_invoice_is_listed_once_it_has_its_number(client, database):
    placed = an_order()
    await database.transact(post_orders, story(placed, confirmed(placed)))
    assert (await get(client, "/invoices"))["items"] == []

    await database.transact(number_documents, EXAMPLE_SELLER)

    (invoice,) = (await get(client, "/invoices"))["items"]
    assert invoice == await get(client, f"/invoices/{invoice['number']}")


async def test_an_invoice_shows_lines_taxes_and_totals_that_add_up(client, database):
    placed = an_order(replace(UNEVEN, tax_rate="7.00"))
    await post(database, story(placed, confirmed(placed, short={1: 1})))

    invoice = await get(client, "/invoices/INV-2026-000001")

    assert invoice == {
        "number": "INV-2026-000001",
        "order_id": str(placed.order_id),
        "customer_id": "c-42",
        "currency": "EUR",
        "issued_on": "2026-03-01",
        "due_on": "2026-03-01",
        "lines": [
            {
                "line": 1,
                "sku": "SOAP",
                "description": "SOAP",
                "quantity": 2,
                "unit_price": 333,
                "discount": 67,
                "tax_rate": "7.00",
                "net": 599,
                "tax": 113,
            },
            {
                "line": None,
                "sku": None,
                "description": "Shipping",
                "quantity": 1,
                "unit_price": 490,
                "discount": 0,
                "tax_rate": "19.00",
                "net": 490,
                "tax": 93,
            },
        ],
        "taxes": [
            {"rate": "7.00", "net": 599, "tax": 113},
            {"rate": "19.00", "net": 490, "tax": 93},
        ],
        "net": 1089,
        "tax": 206,
        "total": 1295,
        "paid": 1295,
        "credited": 0,
        "corrects": [],
    }


async def test_invoices_are_found_by_order_and_customer_the_newest_first(
    client, database
):
    mine, yours = an_order(), an_order(customer_id="c-7")
    await post(database, story(mine, confirmed(mine)), story(yours, confirmed(yours)))

    async def found(**sought):
        page = await get(client, "/invoices", **sought)
        return [invoice["customer_id"] for invoice in page["items"]]

    assert await found() == ["c-7", "c-42"]
    assert await found(order_id=mine.order_id) == ["c-42"]
    assert await found(customer_id="c-7") == ["c-7"]


async def test_refunds_are_found_by_order_and_status(client, database):
    placed, other = an_order(), an_order()
    await post(database, story(placed, rejected(placed)), story(other, rejected(other)))

    (refund,) = (await get(client, "/refunds", order_id=placed.order_id))["items"]

    assert UUID(refund.pop("id"))
    assert refund == {
        "order_id": str(placed.order_id),
        "amount": 3558,
        "currency": "EUR",
        "status": "requested",
        "provider": "acme-pay",
        "reference": "pay_77",
    }
    assert len((await get(client, "/refunds", status="requested"))["items"]) == 2
    assert (await get(client, "/refunds", status="settled"))["items"] == []


async def test_the_trial_balance_is_per_account_and_currency(client, database):
    await post(database, story(an_order()))
    await database.transact(
        post_stock, [arriving(a_receipt(goods(unit_cost=640, currency="JPY")))]
    )

    balance = await get(client, "/reports/trial-balance", as_of="2026-03-01")

    assert balance["as_of"] == "2026-03-01"
    assert balance["rows"][0] == {
        "account": "1000",
        "name": "Gateway clearing",
        "currency": "EUR",
        "debit": 3558,
        "credit": 0,
        "balance": 3558,
    }
    assert [row["account"] for row in balance["rows"]] == [
        "1000",
        "1200",
        "2000",
        "2300",
    ]
    assert balance["totals"] == [
        {"currency": "EUR", "debit": 3558, "credit": 3558},
        {"currency": "JPY", "debit": 6400, "credit": 6400},
    ]


async def test_the_trial_balance_is_also_as_of_a_moment(client, database):
    await post(database, story(an_order()))

    for moment in ("2026-03-01T00:00:00Z", "2026-03-01T10:30:00+01:00"):
        balance = await get(client, "/reports/trial-balance", as_of=moment)
        assert balance["rows"] == []  # posted today, whenever it happened


async def test_a_moment_without_its_offset_is_no_moment(passer_by):
    problem = await get(
        passer_by, "/reports/trial-balance", expect=422, as_of="2026-03-01T09:30:00"
    )

    assert problem["errors"][0]["pointer"] == "#as_of"


async def test_the_chart_shows_every_account_with_its_balances(client, database):
    await post(database, story(an_order()))

    accounts = {a["account"]: a for a in (await get(client, "/accounts"))["items"]}

    assert len(accounts) == 17
    assert accounts["2000"] == {
        "account": "2000",
        "name": "Customer deposits",
        "balances": [{"currency": "EUR", "debit": 0, "credit": 3558, "balance": -3558}],
    }
    assert accounts["4000"]["balances"] == []


@pytest.mark.parametrize("path", BOOKS)
async def test_a_customer_s_token_does_not_open_the_books(passer_by, issuer, path):
    passer_by.headers.update(issuer.headers("accounting.read", customer="c-42"))

    assert (await get(passer_by, path, expect=403))["code"] == "not_for_customers"


async def test_a_customer_sees_the_customer_s_papers_alone(client, database, issuer):
    orders = [an_order(customer_id=customer) for customer in ("c-42", "c-7")]
    await post(database, *(story(one, confirmed(one, {1: 1})) for one in orders))
    client.headers.update(issuer.headers("accounting.read", customer="c-7"))

    (invoice,) = (await get(client, "/invoices"))["items"]
    (refund,) = (await get(client, "/refunds"))["items"]
    hidden = await get(client, "/invoices/INV-2026-000001", expect=404)

    assert invoice["customer_id"] == "c-7"
    assert refund["order_id"] == str(orders[1].order_id)
    assert hidden["code"] == "invoice_not_found"
    assert (await get(client, "/invoices", customer_id="c-42"))["items"] == []


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/entries", {"account": "9999"}),
        ("/entries", {"from": "yesterday"}),
        ("/entries", {"order_id": "42"}),
        ("/entries", {"limit": 201}),
        ("/refunds", {"status": "lost"}),
        ("/accounts", {"as_of": "then"}),
        ("/accounts", {"as_of": "0.5"}),
    ],
)
async def test_what_cannot_be_asked_is_a_problem(passer_by, path, params):
    assert (await get(passer_by, path, expect=422, **params))["errors"]


@pytest.mark.parametrize("path", ["/entries", "/invoices", "/refunds"])
async def test_a_made_up_cursor_is_refused(passer_by, path):
    problem = await get(passer_by, path, expect=400, cursor="WzEsMiwzXQ")

    assert problem["code"] == "cursor_malformed"


async def test_an_invoice_that_is_known_already_is_not_sent_again(client, database):
    placed = an_order()
    await post(database, story(placed, confirmed(placed)))
    first = await client.get("/v1/accounting/invoices/INV-2026-000001")

    again = await client.get(
        "/v1/accounting/invoices/INV-2026-000001",
        headers={"If-None-Match": first.headers["etag"]},
    )

    assert (again.status_code, again.content) == (304, b"")


async def test_the_api_describes_itself(passer_by):
    del passer_by.headers["Authorization"]

    document = await get(passer_by, "/openapi.json")

    own = {path for path in document["paths"] if "/ops/" not in path}
    assert own == {
        f"/v1/accounting/{path}"
        for path in (
            "accounts",
            "credit-notes",
            "credit-notes/{number}",
            "entries",
            "gateway-events",
            "invoices",
            "invoices/{number}",
            "journal.csv",
            "payments",
            "payments/{payment_id}",
            "periods",
            "periods/{period}/close",
            "refunds",
            "reports/receivables-ageing",
            "reports/revenue",
            "reports/tax",
            "reports/trial-balance",
        )
    }
    operation = document["paths"]["/v1/accounting/invoices"]["get"]["operationId"]
    assert operation == "list_invoices"


@pytest.mark.parametrize(
    "as_of", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"]
)
async def test_a_moment_beyond_the_calendar_is_refused(client, as_of):
    problem = await get(client, "/accounts", expect=422, as_of=as_of)

    assert problem["errors"][0]["pointer"] == "#as_of"
