"""Reports against figures worked out another way, and the journal as CSV."""

import asyncio
import csv
import io
import tracemalloc
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace
from sqlalchemy import select, text

from accounting.api import journal as api
from accounting.api.journal import _lines
from accounting.api.sheets import REPORTS_AT_ONCE, as_csv
from accounting.commands.documents import number_documents
from accounting.commands.payments import Received, record_payment
from accounting.domain.periods import Month
from accounting.handlers.orders import post_orders
from accounting.schema import documents, entries, postings
from accounting.settings import EXAMPLE_SELLER
from accounting.store import journal, periods, reports
from accounting.store.journal import Extract
from contracts.inventory import Condition
from contracts.orders import Channel, Shipping
from tests.accounting.factories import (
    AT,
    TERMS,
    UNEVEN,
    a_line,
    an_order,
    cancelled,
    confirmed,
    returned,
    shipped,
    story,
)

REPORTS = "/v1/accounting/reports"
TODAY = AT.date()
FREE = Shipping(price=0, tax=0)


async def on_terms(tx, customer="c-42", *, at=AT, price=1000, **changes):
    """An invoice of twice the price and no tax, due 30 days on; its number."""
    placed = an_order(
        a_line(unit_price=price, tax=0),
        customer_id=customer,
        payment=TERMS,
        shipping=FREE,
        **changes,
    )
    sent = replace(shipped(placed, {1: 2}), shipped_at=at)
    await post_orders(tx, story(placed, confirmed(placed), sent))
    await number_documents(tx, EXAMPLE_SELLER)
    query = select(documents.c.number).where(documents.c.order_id == placed.order_id)
    return placed, (await tx.execute(query)).scalar_one()


async def pay(tx, amount, *invoices, customer="c-42", on=TODAY):
    await record_payment(
        tx,
        Received(
            id=uuid4(),
            customer_id=customer,
            amount=amount,
            currency="EUR",
            reference="bank",
            invoices=invoices,
            received_on=on,
        ),
    )


async def owed(tx, as_of):
    return {
        one.customer_id: (
            one.current,
            one.days_1_30,
            one.days_31_60,
            one.days_61_90,
            one.over_90,
            one.credits,
        )
        for one in await reports.ageing(tx, as_of)
    }


@pytest.mark.parametrize(
    ("days", "bucket"),
    [(0, 0), (30, 0), (31, 1), (60, 1), (61, 2), (90, 2), (91, 3), (120, 3), (121, 4)],
)
async def test_receivables_age_from_the_day_they_are_due(tx, days, bucket):
    await on_terms(tx)

    found = await owed(tx, AT.date() + timedelta(days=days))

    assert found == {"c-42": tuple(2000 if n == bucket else 0 for n in range(6))}


async def test_what_is_paid_is_not_owed_and_what_is_too_much_is_a_credit(tx):
    _, first = await on_terms(tx)
    await on_terms(tx)
    await pay(tx, 500, first)
    await pay(tx, 300)

    assert await owed(tx, AT.date()) == {"c-42": (3500, 0, 0, 0, 0, 300)}


async def test_what_was_owed_on_an_earlier_day_is_still_told(tx):
    today = AT.date()
    placed, number = await on_terms(tx)
    await pay(tx, 500, number, on=today + timedelta(days=10))
    back = returned(placed, (1, 1, Condition.RESELLABLE))
    back = replace(back, received_at=AT + timedelta(days=20))
    events = story(placed, confirmed(placed), shipped(placed, {1: 2}), back)
    await post_orders(tx, events[3:])

    assert await owed(tx, today - timedelta(days=1)) == {}
    assert await owed(tx, today + timedelta(days=9)) == {"c-42": (2000, 0, 0, 0, 0, 0)}
    assert await owed(tx, today + timedelta(days=10)) == {"c-42": (1500, 0, 0, 0, 0, 0)}
    assert await owed(tx, today + timedelta(days=20)) == {"c-42": (500, 0, 0, 0, 0, 0)}


async def test_receivables_agree_with_their_account(tx):
    for number in range(6):
        customer = f"c-{number % 3}"
        price = 1000 + number
        placed, invoice = await on_terms(tx, customer, price=price)
        await pay(tx, 700 * (number + 1), invoice, customer=customer)
        back = returned(placed, (1, 1, Condition.DAMAGED))
        events = story(placed, confirmed(placed), shipped(placed, {1: 2}), back)
        await post_orders(tx, events[3:])
    found = await reports.ageing(tx, AT.date())

    balances = await journal.balances(tx, AT.date())
    receivables = sum(b.debit - b.credit for b in balances if b.account == "1100")
    assert sum(one.current - one.credits for one in found) == receivables


async def test_receivables_agree_with_their_account_as_of_any_day(tx):
    placed = an_order(
        a_line(quantity=9, unit_price=1000, tax=0), payment=TERMS, shipping=FREE
    )
    on = [AT + timedelta(days=days) for days in range(6)]
    one_back = returned(placed, (1, 1, Condition.RESELLABLE))
    facts = story(
        placed,
        confirmed(placed),
        replace(shipped(placed, {1: 3}), shipped_at=on[0]),
        replace(one_back, received_at=on[2]),
        replace(shipped(placed, {1: 2}), shipped_at=on[3]),
        replace(one_back, received_at=on[4]),
        replace(shipped(placed, {1: 4}), shipped_at=on[5]),
    )
    await post_orders(tx, facts[:3])
    await number_documents(tx, EXAMPLE_SELLER)
    await pay(tx, 3100, "INV-2026-000001", on=on[1].date())
    await post_orders(tx, facts[3:])

    told = {day: await reports.ageing(tx, day.date()) for day in on}
    assert [
        [(one.current, one.credits) for one in found] for found in told.values()
    ] == [
        [(3000, 0)],
        [(0, 100)],
        [(0, 1100)],
        [(1000, 100)],
        [(0, 100)],
        [(4000, 100)],
    ]
    for day, found in told.items():
        balances = await journal.balances(tx, day.date())
        receivables = sum(b.debit - b.credit for b in balances if b.account == "1100")
        assert sum(one.current - one.credits for one in found) == receivables


@pytest.mark.parametrize("day", [date.min, date.max])
async def test_the_calendar_s_ends_are_days_like_others(tx, day):
    await on_terms(tx)

    found = await owed(tx, day)

    assert found == ({} if day == date.min else {"c-42": (0, 0, 0, 0, 2000, 0)})


async def test_ageing_shows_customers_and_totals(client, database):
    await database.transact(on_terms)
    await database.transact(on_terms, "c-7")

    report = (
        await client.get(f"{REPORTS}/receivables-ageing", params={"as_of": AT.date()})
    ).json()

    assert [row["customer_id"] for row in report["rows"]] == ["c-42", "c-7"]
    assert report["totals"] == [
        {
            "currency": "EUR",
            "current": 4000,
            "days_1_30": 0,
            "days_31_60": 0,
            "days_61_90": 0,
            "over_90": 0,
            "credits": 0,
            "balance": 4000,
        }
    ]


async def a_mixed_month(tx):
    for number, channel in enumerate([Channel.WEB, Channel.MOBILE, Channel.WEB]):
        placed = an_order(
            replace(UNEVEN, tax_rate="7.00"),
            a_line(2, discount=50 * number),
            channel=channel,
        )
        await post_orders(
            tx,
            story(
                placed,
                confirmed(placed),
                shipped(placed, {1: 2, 2: 1}),
                cancelled(placed, {1: 1}),
                returned(placed, (1, 1, Condition.RESELLABLE)),
            ),
        )


async def test_the_tax_report_agrees_with_the_tax_account(tx):
    await a_mixed_month(tx)
    found = await reports.tax(tx, AT.date(), AT.date())

    balances = await journal.balances(tx, AT.date())
    payable = sum(b.credit - b.debit for b in balances if b.account == "2100")
    assert sum(one.invoiced_tax - one.credited_tax for one in found) == payable
    assert [one.rate for one in found] == ["7.00", "19.00"]
    assert all(one.invoiced_net > one.credited_net > 0 for one in found[:1])


@pytest.mark.parametrize(
    ("period", "rows"), [("2026-03", 1), ("2026", 1), ("2026-02", 0), ("2025", 0)]
)
async def test_tax_is_of_a_month_or_a_year(client, database, period, rows):
    placed = an_order()
    await database.transact(post_orders, story(placed, confirmed(placed)))

    answer = await client.get(f"{REPORTS}/tax", params={"period": period})

    assert len(answer.json()["rows"]) == len(answer.json()["totals"]) == rows
    if rows:
        assert answer.json()["totals"][0]["tax"] == 568


@pytest.mark.parametrize("period", ["", "2026-13", "26", "2026-03-01"])
async def test_what_is_no_period_is_refused(passer_by, period):
    answer = await passer_by.get(f"{REPORTS}/tax", params={"period": period})

    assert answer.status_code == 422


@pytest.mark.parametrize("by", ["day", "channel"])
async def test_revenue_agrees_with_the_accounts_of_income(tx, by):
    await a_mixed_month(tx)
    found = await reports.revenue(tx, by, AT.date(), AT.date())

    balances = await journal.balances(tx, AT.date())
    income = Counter({b.account.value: b.credit - b.debit for b in balances})
    assert sum(one.sales for one in found) == income["4000"] > 0
    assert sum(one.shipping for one in found) == income["4010"] > 0
    assert sum(one.discounts for one in found) == -income["4100"] > 0
    assert sum(one.returns for one in found) == -income["4200"] > 0


async def test_revenue_is_by_day_or_by_channel(client, database):
    await database.transact(a_mixed_month)
    days = {"from": "2026-03-01", "to": "2026-03-31"}

    async def keys(by):
        answer = await client.get(f"{REPORTS}/revenue", params={"by": by, **days})
        report = answer.json()
        net = sum(row["net"] for row in report["rows"])
        assert net == report["totals"][0]["net"]
        return [row[by] for row in report["rows"]]

    assert await keys("day") == ["2026-03-01"]
    assert await keys("channel") == ["mobile", "web"]


SHEETS = {
    "trial-balance": ({"as_of": "2026-03-31"}, "account"),
    "receivables-ageing": ({"as_of": "2026-03-31"}, "customer_id"),
    "tax": ({"period": "2026"}, "rate"),
    "revenue": ({"from": "2026-03-01", "to": "2026-03-31"}, "day"),
}


@pytest.mark.parametrize("report", SHEETS)
async def test_a_report_is_to_be_had_as_csv(client, database, report):
    params, first_column = SHEETS[report]
    await database.transact(on_terms)

    answer = await client.get(
        f"{REPORTS}/{report}", params=params, headers={"Accept": "text/csv"}
    )

    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    header, *rows = csv.reader(io.StringIO(answer.text))
    assert header[0] == first_column
    assert rows
    assert all(len(row) == len(header) for row in rows)


def test_text_in_a_sheet_is_never_a_formula():
    rows = [{"a": text_} for text_ in ("=1+1", "+1", "-1", "@x", "\tx", "plain", -5)]

    cells = [row[0] for row in csv.reader(io.StringIO(as_csv(["a"], rows)))]

    assert cells == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "plain", "-5"]


@pytest.mark.parametrize("path", [*SHEETS, "../journal.csv"])
async def test_reports_are_for_staff(passer_by, issuer, path):
    passer_by.headers.update(issuer.headers("accounting.read", customer="c-42"))

    answer = await passer_by.get(f"{REPORTS}/{path}")

    assert answer.status_code == 403


async def test_reports_give_way_when_many_are_asked_for(client, database):
    async with database.begin() as tx:
        await tx.execute(text("LOCK TABLE closed_periods"))
        asked = [
            asyncio.create_task(client.get(f"{REPORTS}/trial-balance"))
            for _ in range(REPORTS_AT_ONCE + 1)
        ]
        done, waiting = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        (refused,) = [task.result() for task in done]

    assert (refused.status_code, refused.json()["code"]) == (503, "too_many_waiting")
    assert [(await task).status_code for task in waiting] == [200] * REPORTS_AT_ONCE


async def test_balances_are_the_same_before_and_after_a_closing(tx):
    days = [AT + timedelta(days=n) for n in (0, 10, 35, 70)]
    for day in days:
        await post_orders(tx, story(an_order(placed_at=day)))
    asked = [day.date() for day in days] + [date(2026, 3, 31), date(2026, 4, 30)]
    before = [await journal.balances(tx, day) for day in asked]
    moment = (await tx.execute(text("SELECT now()"))).scalar_one()
    then = await journal.balances(tx, moment)

    for month in (3, 4):
        await periods.close(tx, Month(date(2026, month, 1)), "tests")

    assert [await journal.balances(tx, day) for day in asked] == before
    assert await journal.balances(tx, moment) == then != []


async def test_the_journal_is_to_be_had_as_csv(client, database):
    days = [AT + timedelta(days=n) for n in (2, 0, 1)]
    for day in days:
        await database.transact(post_orders, story(an_order(placed_at=day)))

    answer = await client.get(
        "/v1/accounting/journal.csv", params={"from": "2026-03-01", "to": "2026-03-02"}
    )

    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["effective_on"] for row in rows] == ["2026-03-01"] * 2 + [
        "2026-03-02"
    ] * 2
    assert [(row["account"], row["debit"], row["credit"]) for row in rows[:2]] == [
        ("1000", "3558", "0"),
        ("2000", "0", "3558"),
    ]


async def many_entries(tx, count):
    ids = [UUID(int=number) for number in range(1, count + 1)]
    day = AT.date()
    await tx.execute(
        entries.insert().from_select(
            ["id", "rule", "source_event_id", "effective_on"],
            select(
                text("id"), text("'by_hand'"), text("id"), text(f"date '{day}'")
            ).select_from(text("unnest(CAST(:ids AS uuid[])) AS id")),
        ),
        {"ids": ids},
    )
    for account, debit in (("1000", 1), ("2000", 0)):
        await tx.execute(
            postings.insert().from_select(
                ["entry_id", "account", "currency", "debit", "credit"],
                select(
                    text("id"),
                    text(f"'{account}'"),
                    text("'EUR'"),
                    text(str(debit)),
                    text(str(1 - debit)),
                ).select_from(text("entries")),
            )
        )


async def test_the_journal_is_read_in_constant_memory_however_slow(
    database, monkeypatch
):
    count, chunk_size = 4000, 100
    monkeypatch.setattr(api, "CHUNK", chunk_size)
    async with database.begin() as tx:
        await tx.execute(text("ALTER TABLE postings DISABLE TRIGGER balanced"))
        await many_entries(tx, count)
    extract = Extract(since=date.min, until=date.max, moment=datetime.now(UTC))
    first = await database.transact(journal.read_on, extract, None, chunk_size)

    tracemalloc.start()
    lines = 0
    async for chunk in _lines(database, extract, first):
        lines += chunk.count("\n")
        assert not database.in_use()  # whoever reads slowly holds no connection
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert lines == 1 + 2 * count
    assert most < 1_000_000


async def test_whoever_leaves_in_the_middle_holds_nothing(database):
    await database.transact(post_orders, story(an_order()))
    extract = Extract(since=date.min, until=date.max, moment=datetime.now(UTC))
    first = await database.transact(journal.read_on, extract, None, 1)

    reading = _lines(database, extract, first)
    await anext(reading)
    await reading.aclose()

    assert not database.in_use()
