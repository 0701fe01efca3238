"""Numbers of documents: gapless, once, soon."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from msgspec.structs import replace
from sqlalchemy import select, text

from accounting import main
from accounting.commands.documents import number_documents
from accounting.handlers.orders import post_orders
from accounting.main import numberer
from accounting.schema import documents
from accounting.settings import EXAMPLE_SELLER, Seller
from accounting.store.documents import count_unnumbered
from chassis.database import Database, Tx
from chassis.outbox import outbox
from chassis.testing import eventually
from contracts.accounting import InvoiceIssued, PaymentPosition, PaymentStatus
from tests.accounting.factories import AT, UNEVEN, an_order, confirmed, stories, story


def confirmed_orders(count: int, *, at=AT):
    def one():
        placed = an_order()
        decided = replace(confirmed(placed), decided_at=at)
        return story(placed, decided)

    return stories(*(one() for _ in range(count)))


async def numbers(tx: Tx) -> list[str]:
    number = documents.c.number
    given = select(number).where(number.is_not(None)).order_by(documents.c.id)
    return list((await tx.execute(given)).scalars())


async def test_documents_are_numbered_as_they_were_stored(tx):
    await post_orders(tx, confirmed_orders(2))
    await number_documents(tx, EXAMPLE_SELLER)
    await post_orders(tx, confirmed_orders(1))
    await number_documents(tx, EXAMPLE_SELLER)

    assert await numbers(tx) == [f"INV-2026-00000{n}" for n in (1, 2, 3)]


async def test_documents_of_a_known_seller_are_numbered_as_they_are_stored(
    tx, published
):
    await post_orders(tx, confirmed_orders(1), EXAMPLE_SELLER)
    assert await number_documents(tx, EXAMPLE_SELLER) == 1  # who sells is known now

    await post_orders(tx, confirmed_orders(3), EXAMPLE_SELLER)
    in_a_year = confirmed_orders(2, at=AT + timedelta(days=365))
    await post_orders(tx, [*confirmed_orders(1), *in_a_year], EXAMPLE_SELLER)

    given = [f"INV-2026-00000{n}" for n in range(1, 6)]
    given += [f"INV-2027-00000{n}" for n in (1, 2)]
    assert await numbers(tx) == given
    assert [
        one.data.number for one in await published() if type(one.data) is InvoiceIssued
    ] == given
    assert await number_documents(tx, EXAMPLE_SELLER) == 0
    sold_by = await tx.execute(select(documents.c.seller_id).distinct())
    assert len(sold_by.scalars().all()) == 1


async def test_an_invoice_announced_at_once_says_what_one_announced_later_does(
    tx, published
):
    said = []
    for at_once in (False, True):
        placed = an_order(UNEVEN)
        happened = story(placed, confirmed(placed, short={1: 1}))
        await post_orders(tx, happened, EXAMPLE_SELLER if at_once else None)
        await number_documents(tx, EXAMPLE_SELLER)
        *_, issued = await published()
        assert issued.subject == str(placed.order_id)
        said.append(replace(issued.data, order_id=UUID(int=0), number=""))

    later, at_once = said
    assert later == at_once


async def test_who_posts_does_not_wait_for_who_numbers(database: Database):
    await known_seller(database)
    async with database.begin() as numbering:
        assert await number_documents(numbering, EXAMPLE_SELLER) == 0

        async with asyncio.timeout(10):
            await database.transact(post_orders, confirmed_orders(2), EXAMPLE_SELLER)

        assert await database.transact(count_unnumbered) == 2
    assert await database.transact(number_documents, EXAMPLE_SELLER) == 2


async def test_who_numbers_nothing_keeps_nobody_from_numbering(database: Database):
    async with database.begin() as tx:
        await post_orders(tx, confirmed_orders(1), EXAMPLE_SELLER)  # not known yet
        assert (await tx.execute(OUR_TURNS)).scalar_one() == 0

    await known_seller(database)
    async with database.begin() as tx:
        await post_orders(tx, confirmed_orders(1), EXAMPLE_SELLER)
        assert (await tx.execute(OUR_TURNS)).scalar_one() == 1


OUR_TURNS = text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    " AND pid = pg_backend_pid()"
    " AND objid::bigint = hashtext('document numbers')::bigint & 4294967295"
)


async def test_a_document_does_not_overtake_one_that_waits_for_its_number(
    database: Database,
):
    await known_seller(database)
    await database.transact(post_orders, confirmed_orders(1))

    await database.transact(post_orders, confirmed_orders(1), EXAMPLE_SELLER)

    assert await database.transact(number_documents, EXAMPLE_SELLER) == 2
    async with database.begin() as tx:
        assert await numbers(tx) == [f"INV-2026-00000{n}" for n in (1, 2, 3)]


async def test_what_is_undone_has_taken_no_number(database: Database):
    await known_seller(database)
    async with database.begin() as tx:
        await post_orders(tx, confirmed_orders(3), EXAMPLE_SELLER)
        assert await count_unnumbered(tx) == 0
        await tx.rollback()

    await database.transact(post_orders, confirmed_orders(1), EXAMPLE_SELLER)

    async with database.begin() as tx:
        assert await numbers(tx) == ["INV-2026-000001", "INV-2026-000002"]


async def known_seller(database: Database) -> None:
    await database.transact(post_orders, confirmed_orders(1))
    await database.transact(number_documents, EXAMPLE_SELLER)


async def test_every_year_counts_from_one(tx):
    await post_orders(tx, confirmed_orders(2))
    await post_orders(tx, confirmed_orders(1, at=AT + timedelta(days=365)))

    assert await number_documents(tx, EXAMPLE_SELLER) == 3

    assert await numbers(tx) == [
        "INV-2026-000001",
        "INV-2026-000002",
        "INV-2027-000001",
    ]


async def test_the_millionth_number_keeps_all_its_digits(tx):
    await post_orders(tx, confirmed_orders(1))
    await number_documents(tx, EXAMPLE_SELLER)
    await tx.exec_driver_sql("UPDATE document_series SET last = 999999")
    await post_orders(tx, confirmed_orders(1))
    await number_documents(tx, EXAMPLE_SELLER)

    assert await numbers(tx) == ["INV-2026-000001", "INV-2026-1000000"]


async def test_an_invoice_is_announced_when_it_has_its_number(tx, published):
    placed = an_order(UNEVEN)
    await post_orders(tx, story(placed, confirmed(placed, short={1: 1})))
    assert InvoiceIssued not in [type(one.data) for one in await published()]

    await number_documents(tx, EXAMPLE_SELLER)

    *_, issued = await published()
    assert issued.subject == str(placed.order_id)
    assert issued.data == InvoiceIssued(
        order_id=placed.order_id,
        number="INV-2026-000001",
        customer_id="c-42",
        currency="EUR",
        total=1295,
        issued_on=AT.date(),
        due_on=AT.date(),
        payment=PaymentPosition(version=2, status=PaymentStatus.REFUND_PENDING),
    )


@pytest.mark.parametrize("seller", [None, EXAMPLE_SELLER])
async def test_numbers_are_gapless_when_several_processes_post_and_number_at_once(
    database: Database, seller: Seller | None
):
    async def work() -> None:
        for _ in range(8):
            await database.transact(post_orders, confirmed_orders(5), seller)
            await database.transact(number_documents, EXAMPLE_SELLER)

    await asyncio.gather(*(work() for _ in range(5)))
    await database.transact(number_documents, EXAMPLE_SELLER)

    async with database.begin() as tx:
        given = await numbers(tx)
        told = (await tx.execute(select(outbox.c.data))).scalars().all()
    assert sorted(given) == [f"INV-2026-{n:06}" for n in range(1, 201)]
    assert sorted(data["number"] for data in told) == sorted(given)


async def test_a_document_is_numbered_as_soon_as_it_is_committed(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(main, "NUMBER_EVERY_S", 600)
    timer = numberer(database, EXAMPLE_SELLER)

    async def all_have_numbers() -> bool:
        return not await database.transact(count_unnumbered)

    await database.transact(post_orders, confirmed_orders(1))
    coming_round = asyncio.create_task(timer.run(database))
    await eventually(all_have_numbers)  # in its first round
    await database.transact(post_orders, confirmed_orders(1))

    await eventually(all_have_numbers)
    coming_round.cancel()
