"""What the database itself refuses, and what the store adds up."""

from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from accounting.handlers.orders import post_orders
from accounting.schema import entries, postings
from accounting.store import journal
from chassis.database import Database, Tx
from tests.accounting.factories import AT, an_order, rejected, story


async def enter(tx: Tx, *amounts: int, currency: str = "EUR") -> UUID:
    """An entry, past the domain's own check of it; debits are positive."""
    id_ = uuid4()
    await tx.execute(
        insert(entries).values(
            id=id_, rule="by_hand", source_event_id=uuid4(), effective_on=AT.date()
        )
    )
    await post(tx, id_, *amounts, currency=currency)
    return id_


async def post(tx: Tx, entry_id: UUID, *amounts: int, currency: str = "EUR") -> None:
    rows = [
        {
            "entry_id": entry_id,
            "account": str(1000 + number),
            "currency": currency,
            "debit": max(amount, 0),
            "credit": max(-amount, 0),
        }
        for number, amount in enumerate(amounts)
    ]
    await tx.execute(insert(postings).values(rows))


@pytest.mark.parametrize("table", ["entries", "postings"])
@pytest.mark.parametrize(
    "change", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {} CASCADE"]
)
async def test_the_journal_cannot_be_changed_by_its_owner(tx, table, change):
    await enter(tx, 5, -5)
    column = {"entries": "rule", "postings": "debit"}[table]

    with pytest.raises(IntegrityError, match="corrected by new rows"):
        await tx.execute(text(change.format(table, column, column)))


@pytest.mark.parametrize("change", ["DELETE FROM documents", "TRUNCATE documents"])
async def test_no_document_disappears(tx, change):
    with pytest.raises(IntegrityError, match="corrected by new rows"):
        await tx.execute(text(change))


async def test_the_journal_s_tables_belong_to_the_role_that_is_refused(tx):
    owners = await tx.execute(
        text(
            "SELECT tableowner = current_user FROM pg_tables"
            " WHERE tablename IN ('entries', 'postings')"
        )
    )
    assert owners.scalars().all() == [True, True]


async def test_an_unbalanced_entry_never_gets_as_far_as_the_commit(database: Database):
    with pytest.raises(IntegrityError, match="does not balance"):
        async with database.begin() as tx:
            await enter(tx, 5, -4)

    async with database.begin() as tx:
        assert (await tx.execute(select(entries))).all() == []


async def test_an_entry_balances_in_each_currency(tx):
    entry_id = await enter(tx, 5, -5)

    with pytest.raises(IntegrityError, match="does not balance"):
        await post(tx, entry_id, 5, -4, currency="JPY")


async def test_nothing_is_added_to_an_entry_after_its_commit(database: Database):
    async with database.begin() as tx:
        entry_id = await enter(tx, 5, -5)

    with pytest.raises(IntegrityError, match="not of this transaction"):
        async with database.begin() as tx:
            await post(tx, entry_id, 7, -7, currency="JPY")


async def test_postings_belong_to_an_entry(tx):
    with pytest.raises(IntegrityError, match="not of this transaction"):
        await post(tx, uuid4(), 5, -5)


@pytest.mark.parametrize("amounts", [(0, 0), (-5, 0, 5)])
async def test_a_posting_has_one_side(tx, amounts):
    with pytest.raises(IntegrityError, match="postings_one_side"):
        await enter(tx, *amounts)


async def test_a_fact_is_posted_once_by_a_rule(tx):
    event_id = uuid4()
    entry = {"rule": "r", "source_event_id": event_id, "effective_on": AT.date()}

    with pytest.raises(IntegrityError, match="entries_once"):
        await tx.execute(
            insert(entries).values([{"id": uuid4(), **entry}, {"id": uuid4(), **entry}])
        )


async def balance(tx: Tx, as_of: date) -> dict[str, int]:
    return {
        b.account.value: b.debit - b.credit for b in await journal.balances(tx, as_of)
    }


async def test_balances_are_as_of_the_end_of_a_day(tx):
    placed = an_order()
    decided = replace(rejected(placed), decided_at=AT + timedelta(days=1))

    await post_orders(tx, story(placed, decided))

    assert await balance(tx, AT.date() - timedelta(days=1)) == {}
    assert await balance(tx, AT.date()) == {"1000": 3558, "2000": -3558}
    after = {"1000": 3558, "2000": 0, "2200": -3558}
    assert await balance(tx, AT.date() + timedelta(days=1)) == after


async def test_balances_are_as_of_what_had_been_posted_by_a_moment(tx):
    placed = an_order()
    await post_orders(tx, story(placed))

    now = (await tx.execute(text("SELECT now()"))).scalar_one()

    assert await balance(tx, now) == {"1000": 3558, "2000": -3558}
    assert await balance(tx, now - timedelta(seconds=1)) == {}
