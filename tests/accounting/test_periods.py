"""Closing a month: what stands in its way, and what holds afterwards."""

import asyncio
from datetime import date, datetime, timedelta
from uuid import uuid4

import pytest
from msgspec.structs import replace
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from accounting.commands.documents import number_documents
from accounting.commands.periods import QUEUES
from accounting.domain.periods import Loose, Month, missing
from accounting.handlers.orders import post_orders
from accounting.schema import documents, entries, period_balances
from accounting.settings import EXAMPLE_SELLER
from accounting.store import journal, periods
from chassis.testing import eventually
from tests.accounting.factories import AT, an_order, confirmed, story

MARCH = Month(date(2026, 3, 1))
APRIL = MARCH.next


@pytest.fixture
async def closer(client, provisioned, issuer):
    for queue in QUEUES:
        url = await provisioned.queue_url(queue)
        await provisioned.sqs.purge_queue(QueueUrl=url)
    client.headers.update(issuer.headers("accounting.read", "accounting.write"))
    return client


async def close(client, period, *, expect=200):
    answer = await client.post(f"/v1/accounting/periods/{period}/close")
    assert answer.status_code == expect, answer.text
    return answer.json()


async def missing_of(client, period):
    problem = await close(client, period, expect=409)
    assert problem["code"] == "period_not_closable"
    return [reason["what"] for reason in problem["missing"]]


async def post(database, *facts):
    await database.transact(post_orders, list(facts))
    await database.transact(number_documents, EXAMPLE_SELLER)


def an_invoice(at=AT):
    placed = an_order(placed_at=at)
    return story(placed, replace(confirmed(placed), decided_at=at))


async def closed_by_hand(tx, month=MARCH):
    await periods.close(tx, month, "tests")


def test_a_month_knows_its_neighbours_and_days():
    december = Month(date(2026, 12, 1))

    assert (str(december), december.last) == ("2026-12", date(2026, 12, 31))
    assert december.next.before == december
    assert december < december.next


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({}, []),
        ({"first_open": MARCH}, ["earlier_period_open"]),
        ({"parked": 2}, ["facts_parked"]),
        ({"unnumbered": 1}, ["documents_unnumbered"]),
        ({"waiting": {"a": 0, "b": 3, "b-dlq": 1}}, ["queue_not_empty"] * 2),
    ],
)
def test_everything_that_is_missing_is_named(changes, what):
    loose = {"first_open": APRIL, "parked": 0, "unnumbered": 0, "waiting": {}}

    found = missing(APRIL, date(2026, 5, 1), Loose(**loose | changes))

    assert [reason.what for reason in found] == what


def test_a_month_is_over_on_the_first_day_of_the_next():
    loose = Loose(first_open=None, parked=0, unnumbered=0, waiting={})

    assert missing(MARCH, date(2026, 4, 1), loose) == []
    (reason,) = missing(MARCH, date(2026, 3, 31), loose)
    assert reason.what == "period_not_over"


async def test_a_month_is_closed_once_and_for_good(closer, database):
    await post(database, *an_invoice())

    closed = await close(closer, "2026-03")

    assert (closed["period"], closed["status"]) == ("2026-03", "closed")
    assert closed["closed_by"] == "storefront"
    assert await close(closer, "2026-03") == closed


async def test_what_is_outstanding_keeps_a_month_open(closer, database, aws):
    invoice = an_invoice()
    _, early = an_invoice()
    await database.transact(post_orders, [*invoice, early])
    await aws.send(QUEUES[0], "[]", {})

    assert await missing_of(closer, "2026-03") == [
        "facts_parked",
        "documents_unnumbered",
        "queue_not_empty",
    ]


async def test_a_dead_letter_keeps_a_month_open(closer, aws):
    await aws.send(QUEUES[1], "[]", {})

    assert await missing_of(closer, "2026-03") == ["queue_not_empty"]


async def test_months_are_closed_in_their_order(closer, database):
    await post(database, *an_invoice())

    assert await missing_of(closer, "2026-04") == ["earlier_period_open"]
    await close(closer, "2026-03")
    assert await missing_of(closer, "2026-05") == ["earlier_period_open"]
    await close(closer, "2026-04")


async def test_a_month_that_lasts_stays_open(closer):
    assert await missing_of(closer, "2999-01") == ["period_not_over"]


async def test_what_is_outstanding_of_a_later_month_does_not_matter(closer, database):
    later = an_invoice(AT + timedelta(days=31))
    await database.transact(post_orders, [*an_invoice(), *later])
    await database.transact(number_documents, EXAMPLE_SELLER)
    await database.transact(post_orders, an_invoice(AT + timedelta(days=32)))

    await close(closer, "2026-03")


async def test_periods_are_listed_from_the_first_entry_on(closer, database):
    await post(database, *an_invoice())
    await close(closer, "2026-03")

    page = (await closer.get("/v1/accounting/periods")).json()

    *_, april, march = page["items"]
    assert (march["period"], march["status"]) == ("2026-03", "closed")
    assert april == {
        "period": "2026-04",
        "status": "open",
        "closed_at": None,
        "closed_by": None,
    }


@pytest.mark.parametrize("period", ["2026-13", "2026-3", "march", "0000-01"])
async def test_what_is_no_month_is_refused(closer, period):
    problem = await close(closer, period, expect=422)

    assert problem["errors"][0]["pointer"] == "#period"


async def test_closing_is_for_staff_who_may_write(closer, issuer):
    closer.headers.update(issuer.headers("accounting.read"))
    await close(closer, "2026-03", expect=403)

    closer.headers.update(issuer.headers("accounting.write", customer="c-42"))
    await close(closer, "2026-03", expect=403)


async def test_a_late_fact_goes_to_the_first_open_period_and_refers_back(tx):
    await closed_by_hand(tx)
    await post_orders(tx, an_invoice())

    posted = (await tx.execute(select(entries))).all()
    assert {entry.effective_on for entry in posted} == {APRIL.first}
    assert {entry.refers_to for entry in posted} == {AT.date()}
    document = (await tx.execute(select(documents))).one()
    assert document.issued_on == document.due_on == APRIL.first


async def test_entries_say_when_they_refer_back(client, database):
    await database.transact(closed_by_hand)
    await post(database, *an_invoice())

    page = (await client.get("/v1/accounting/entries")).json()

    assert {e["refers_to"] for e in page["items"]} == {"2026-03-01"}
    assert {e["effective_on"] for e in page["items"]} == {"2026-04-01"}


@pytest.mark.parametrize("table", [entries, documents])
async def test_the_database_refuses_what_is_of_a_closed_period(tx, table):
    await closed_by_hand(tx)
    entry = {"rule": "by_hand", "effective_on": MARCH.last}
    document = {
        "series": "INV",
        "order_id": uuid4(),
        "customer_id": "c-42",
        "currency": "EUR",
        "issued_on": MARCH.last,
        "due_on": MARCH.last,
        "lines": [],
        "taxes": [],
        "net": 0,
        "tax": 0,
        "total": 0,
        "paid": 0,
    }
    row = entry if table is entries else document

    with pytest.raises(IntegrityError, match="the period is closed"):
        await tx.execute(
            insert(table).values(id=uuid4(), source_event_id=uuid4(), **row)
        )


async def test_closing_waits_for_a_posting_under_way_and_counts_it_in(database):
    async with database.begin() as posting:
        await post_orders(posting, story(an_order()))
        closing = asyncio.create_task(database.transact(hold_and_close))
        await eventually(lambda: database.transact(somebody_waits))

    await closing
    async with database.begin() as tx:
        kept = (await tx.execute(select(period_balances.c.debit))).scalars().all()
    assert sorted(kept) == [0, 3558]


async def test_a_posting_that_waited_for_the_closing_lands_after_it(database):
    async with database.begin() as closing:
        await hold_and_close(closing)
        posting = asyncio.create_task(database.transact(post_orders, story(an_order())))
        await eventually(lambda: database.transact(somebody_waits))

    await posting
    async with database.begin() as tx:
        (entry,) = (await tx.execute(select(entries))).all()
    assert (entry.effective_on, entry.refers_to) == (APRIL.first, AT.date())


async def hold_and_close(tx):
    await periods.hold_all(tx)
    await closed_by_hand(tx)


async def test_what_is_kept_of_a_month_has_its_last_day_and_not_the_next(database):
    last = datetime.combine(MARCH.last, AT.timetz())
    for at in (last, last + timedelta(days=1)):
        await post(database, *an_invoice(at))
    async with database.begin() as tx:
        before = await journal.balances(tx, MARCH.last)

    await database.transact(hold_and_close)

    async with database.begin() as tx:
        assert await journal.balances(tx, MARCH.last) == before


async def somebody_waits(tx):
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    return (await tx.execute(waiting)).scalar_one() > 0


async def test_nothing_lands_in_a_month_that_is_closed_while_many_post(database):
    async def keep_posting():
        for day in range(25, 36):
            await post(database, *an_invoice(AT + timedelta(days=day)))

    posting = [asyncio.create_task(keep_posting()) for _ in range(4)]
    await database.transact(hold_and_close)
    async with database.begin() as tx:
        before = await journal.balances(tx, MARCH.last)
    await asyncio.gather(*posting)

    async with database.begin() as tx:
        assert await journal.balances(tx, MARCH.last) == before
        late = select(entries).where(entries.c.refers_to <= MARCH.last)
        assert {e.effective_on for e in await tx.execute(late)} <= {APRIL.first}
