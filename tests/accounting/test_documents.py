"""Documents over HTTP: whose they are, in which format, and what is on the paper."""

import asyncio

import pypdfium2
import pytest
from sqlalchemy import insert, select

from accounting.api.pdf import WAITING, Printer
from accounting.commands.documents import number_documents
from accounting.domain.currencies import as_written
from accounting.handlers.orders import post_orders
from accounting.press.text import printable
from accounting.schema import documents, sellers
from accounting.settings import EXAMPLE_SELLER, Seller
from chassis.batching import TooManyWaiting
from chassis.ids import uuid7
from contracts.inventory import Condition
from contracts.orders import Address
from tests.accounting.factories import (
    AT,
    TERMS,
    a_line,
    an_order,
    confirmed,
    returned,
    shipped,
    story,
)

INVOICE = "/v1/accounting/invoices/INV-2026-000001"
CREDIT_NOTE = "/v1/accounting/credit-notes/CRN-2026-000001"
HOME = {
    "name": "Ada Byron",
    "line1": "1 Quay St",
    "city": "Cork",
    "postal_code": "T12",
    "country": "IE",
}


async def invoice(database, *lines, **changes):
    placed = an_order(*lines, **changes)
    await post(database, placed, confirmed(placed))
    return placed


async def post(database, placed, *then):
    await database.transact(post_orders, story(placed, *then))
    await database.transact(number_documents, EXAMPLE_SELLER)


async def paper(tx, placed, series, **changes):
    """A document that no rule here makes, past the rules."""
    content = {
        "id": uuid7(),
        "series": series,
        "number": f"{series}-2026-000001",
        "order_id": placed.order_id,
        "source_event_id": uuid7(),
        "customer_id": placed.customer_id,
        "currency": placed.currency,
        "issued_on": AT.date(),
        "due_on": AT.date(),
        "lines": [],
        "taxes": [],
        "net": 1000,
        "tax": 190,
        "total": 1190,
        "paid": 0,
    }
    await tx.execute(insert(documents).values(content | changes))


async def pages_of(client, path=INVOICE):
    answer = await client.get(path, headers={"Accept": "application/pdf"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/pdf"
    pages = pypdfium2.PdfDocument(answer.content)
    return [" ".join(p.get_textpage().get_text_range().split()) for p in pages]


async def test_what_was_issued_keeps_the_seller_it_was_issued_by(client, database):
    moved = EXAMPLE_SELLER.model_copy(update={"name": "Shop at its New Place Ltd"})
    placed = an_order()
    await database.transact(post_orders, story(placed, confirmed(placed)))

    await database.transact(number_documents, moved)

    (page,) = await pages_of(client)
    assert moved.name in page
    assert EXAMPLE_SELLER.name not in page


async def test_a_seller_is_kept_once(database):
    for _ in range(2):
        placed = an_order()
        await database.transact(post_orders, story(placed, confirmed(placed)))
        await database.transact(number_documents, EXAMPLE_SELLER)

    async with database.begin() as tx:
        kept = (await tx.execute(select(sellers.c.details))).scalars().all()
    assert [Seller.model_validate(details) for details in kept] == [EXAMPLE_SELLER]


async def test_an_invoice_says_on_paper_what_the_law_asks_for(client, database):
    await invoice(database, a_line(discount=100, tax=456))

    (page,) = await pages_of(client)

    for said in (
        "Example Shop Ltd",
        "Tax ID IE0000000X",
        "Ada Byron 1 Quay St T12 Cork IE",
        "Invoice INV-2026-000001",
        "Issued on 1 March 2026 Due on 1 March 2026 Order W-1000042",
        "1 SKU-1 2 12.50 1.00 19.00 % 24.00",
        "2 Shipping 1 4.90 – 19.00 % 4.90",  # noqa: RUF001 - as it is printed
        "Net EUR 28.90 Tax 19.00 % on 28.90 EUR 5.49",
        "Total EUR 34.39 Paid EUR 34.39 Due EUR 0.00",
        "Settled with thanks. Nothing is due.",
        "Page 1 of 1",
    ):
        assert said in page


async def test_an_invoice_on_terms_says_when_to_pay_what(client, database):
    placed = await invoice(database, payment=TERMS)
    async with database.begin() as tx:
        await paper(tx, placed, "INV")

    (page,) = await pages_of(client)

    assert "Please pay EUR 11.90 by 1 March 2026, quoting INV-2026-000001." in page
    assert "IBAN IE00 EXAM" in page


async def test_a_credit_note_names_the_invoice_it_corrects(client, database):
    placed = an_order()
    await post(
        database,
        *(placed, confirmed(placed), shipped(placed, {1: 2})),
        returned(placed, (1, 1, Condition.DAMAGED)),
    )

    (page,) = await pages_of(client, CREDIT_NOTE)

    assert "Credit note CRN-2026-000001" in page
    assert "Corrects INV-2026-000001" in page
    assert "Paid" not in page


async def test_a_credit_note_corrects_the_invoices_that_its_units_are_on(
    client, database
):
    placed = an_order(a_line(1, quantity=6), a_line(2, quantity=1), payment=TERMS)
    back = [(1, 1), (1, 2), (2, 1), (1, 3)]
    await post(
        database,
        *(placed, confirmed(placed)),
        *(shipped(placed, units) for units in ({1: 2}, {1: 1, 2: 1}, {1: 3})),
        *(returned(placed, (*units, Condition.DAMAGED)) for units in back),
    )

    notes = (await client.get("/v1/accounting/credit-notes")).json()["items"]

    assert [[number[-1] for number in note["corrects"]] for note in notes[::-1]] == [
        ["1"],  # the first of two
        ["1", "2"],  # the second, and one of the next shipment
        ["2"],
        ["3"],
    ]


async def test_a_document_says_what_is_credited_as_its_paper_does(client, database):
    placed = an_order(payment=TERMS)
    await post(
        database,
        *(placed, confirmed(placed), shipped(placed, {1: 2})),
        returned(placed, (1, 1, Condition.DAMAGED)),
    )

    (page,) = await pages_of(client)
    shown = (await client.get(INVOICE)).json()

    assert (shown["total"], shown["paid"], shown["credited"]) == (3558, 0, 1488)
    assert "Total EUR 35.58 Paid EUR 0.00 Credited EUR 14.88 Due EUR 20.70" in page


async def test_five_hundred_lines_go_over_several_pages(client, database):
    await invoice(database, *(a_line(number) for number in range(1, 501)))

    pages = await pages_of(client)

    assert len(pages) > 10
    assert all("Item Quantity Unit price" in page for page in pages[:-1])
    assert f"Page {len(pages)} of {len(pages)}" in pages[-1]
    assert all(f"SKU-{n} " in " ".join(pages) for n in range(1, 501))


@pytest.mark.parametrize(
    ("currency", "total"), [("JPY", "JPY 3,558"), ("KWD", "KWD 3.558")]
)
async def test_each_currency_has_its_own_digits(client, database, currency, total):
    await invoice(database, currency=currency)

    (page,) = await pages_of(client)

    assert f"Total {total}" in page


async def test_names_of_the_world_are_printed_in_their_letters(client, database):
    names = {
        "name": "Zażółć Gęślą",
        "line1": "Ελευθερία 東京都 서울",
        "line2": "مرحبا שלום ไทย",
        "city": "Київ",
    }
    await invoice(database, ship_to=Address(**HOME | names))

    (page,) = await pages_of(client)

    assert "U+" not in page
    for name in ("Zażółć Gęślą", "Ελευθερία 東京都 서울", "Київ"):
        assert name in page


async def test_hostile_names_are_only_names(client, database):
    hostile = {
        "name": "#strong[Ada]\x07 $x^2$ *b* //",
        "line1": "W" * 200,
        "line2": "\u202e\u2066evil\ufeff",
        "city": '"); #panic("',
    }
    await invoice(database, ship_to=Address(**HOME | hostile))

    (page,) = await pages_of(client)

    assert "#strong[Ada] $x^2$ *b* //" in page
    assert '"); #panic("' in page
    assert page.count("W") >= 200


def test_what_has_no_glyph_is_named_and_not_a_box():
    assert printable("a\U00012000b\ue000") == "a[U+12000]b[U+E000]"


def test_what_cannot_be_seen_is_left_out():
    assert printable("a\x00b\u202ec\u2028 \t d\ufeff") == "a bc d"


def test_a_long_word_gets_room_to_break():
    assert printable("x" * 50) == "\u200b".join(["x" * 20, "x" * 20, "x" * 10])
    assert printable("-" * 30) == "\u200b".join(["-" * 20, "-" * 10])


def test_a_long_name_breaks_at_its_hyphens():
    name = "Featherstonehaugh-Cholmondeley"

    assert printable(name) == "Featherstonehaugh-\u200bCholmondeley"
    assert printable("INV-2026-000001") == "INV-2026-000001"


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        (123450, "EUR", "1,234.50"),
        (0, "EUR", "0.00"),
        (-5, "EUR", "-0.05"),
        (1234, "JPY", "1,234"),
        (1234567, "KWD", "1,234.567"),
        (250, "RSD", "2.50"),
    ],
)
def test_amounts_are_written_with_their_currency_s_digits(amount, currency, written):
    assert as_written(amount, currency) == written


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("*/*", "application/json"),
        ("", "application/json"),
        ("application/*", "application/json"),
        ("application/pdf", "application/pdf"),
        ("Application/PDF;q=0.9, application/json;q=0.2", "application/pdf"),
        ("text/html, application/pdf;q=0.9, */*;q=0.8", "application/pdf"),
        ("application/json;q=0, */*;q=0.1", "application/pdf"),
    ],
)
async def test_the_caller_says_in_which_format(client, database, accept, media):
    await invoice(database)

    answer = await client.get(INVOICE, headers={"Accept": accept})

    assert answer.headers["Content-Type"] == media
    assert answer.headers["Vary"] == "Accept"


@pytest.mark.parametrize("accept", ["text/html", "application/pdf;q=0", "*/*;q=0"])
async def test_a_format_that_is_not_to_be_had_is_refused(passer_by, accept):
    answer = await passer_by.get(INVOICE, headers={"Accept": accept})

    assert answer.status_code == 406
    assert answer.json()["code"] == "not_acceptable"


async def test_a_paper_the_caller_has_is_not_printed_again(client, database):
    await invoice(database)
    wanted = {"Accept": "application/pdf"}
    tag = (await client.get(INVOICE, headers=wanted)).headers["ETag"]

    answer = await client.get(INVOICE, headers={**wanted, "If-None-Match": tag})

    assert (answer.status_code, answer.content) == (304, b"")


async def test_credit_notes_are_listed_on_their_own(client, database):
    placed = await invoice(database)
    async with database.begin() as tx:
        await paper(tx, placed, "CRN")

    listed = (await client.get("/v1/accounting/credit-notes")).json()["items"]

    assert [note["number"] for note in listed] == ["CRN-2026-000001"]
    assert (await client.get(CREDIT_NOTE)).json() == listed[0]


async def test_another_customer_s_credit_note_is_not_there(client, database, issuer):
    placed = await invoice(database)
    async with database.begin() as tx:
        await paper(tx, placed, "CRN")
    client.headers.update(issuer.headers("accounting.read", customer="c-7"))

    for media in ("application/json", "application/pdf"):
        answer = await client.get(CREDIT_NOTE, headers={"Accept": media})
        assert (answer.status_code, answer.json()["code"]) == (
            404,
            "credit_note_not_found",
        )


async def test_only_so_many_wait_for_the_press():
    printer = Printer(EXAMPLE_SELLER)
    waiting = [asyncio.create_task(printer.print(b"{}")) for _ in range(WAITING + 1)]

    done, others = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)

    assert [type(one.exception()) for one in done] == [TooManyWaiting]
    for one in others:
        one.cancel()
    await asyncio.wait(others)
