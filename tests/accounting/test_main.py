from sqlalchemy import delete, update

from accounting.commands.documents import number_documents
from accounting.commands.gaps import Patience
from accounting.handlers.orders import post_orders
from accounting.main import SERVICE, watch, watch_refunds
from accounting.schema import refunds
from accounting.settings import EXAMPLE_SELLER
from accounting.store.documents import count_unnumbered
from chassis.lifecycle import Runtime
from contracts import topology
from tests.accounting.factories import a_line, an_order, confirmed, rejected, story
from tests.accounting.waiting import is_in_an_hour


def test_accounting_hears_every_queue_that_is_its_own():
    assert set(SERVICE.hears) == set(topology.TOPOLOGY.queues_of("accounting"))


async def test_documents_are_numbered_as_they_are_stored(database, aws):
    settings = SERVICE.settings(database_url="postgresql://not-used")
    runtime = Runtime(settings=settings, database=database, aws=aws)
    hears = SERVICE.assemble(runtime).hears
    router = hears[topology.ACCOUNTING_FROM_ORDERS]
    first, second = an_order(), an_order()

    await database.transact(router.dispatch, story(first, confirmed(first)))
    await database.transact(number_documents, settings.seller)  # known from now on
    await database.transact(router.dispatch, story(second, confirmed(second)))

    assert not await database.transact(count_unnumbered)
    assert {queue: router.types for queue, router in hears.items()} == {
        queue: router.types for queue, router in SERVICE.hears.items()
    }


async def test_it_is_watched_for_as_long_as_something_is_left_over(database):
    placed = an_order()
    first, second = story(placed, confirmed(placed))
    watching = watch(database, Patience())

    await database.transact(post_orders, [second])
    assert await watching.work()  # a fact is parked
    await database.transact(post_orders, [first])
    assert await watching.work()  # an invoice has no number
    await database.transact(number_documents, EXAMPLE_SELLER)
    assert not await watching.work()


async def test_a_refund_that_failed_is_looked_at_until_it_gets_through(
    database, counted
):
    """Or what this process told of it last would be told for ever."""
    placed = an_order(a_line())
    watching = watch_refunds(database)
    await database.transact(post_orders, story(placed, rejected(placed)))
    async with database.begin() as tx:
        await tx.execute(update(refunds).values(status="failed", failure="closed"))

    assert await watching.work()
    assert counted()["orderly.refunds.failed"] == {"": 1}
    async with database.begin() as tx:
        await tx.execute(delete(refunds))
    assert not await watching.work()
    assert counted()["orderly.refunds.failed"] == {"": 0}


async def test_a_refund_that_failed_does_not_keep_an_idle_database_awake(database):
    placed = an_order(a_line())
    await database.transact(post_orders, story(placed, rejected(placed)))
    await database.transact(number_documents, EXAMPLE_SELLER)
    async with database.begin() as tx:
        await tx.execute(update(refunds).values(status="failed", failure="closed"))

    assert not await watch(database, Patience()).work()
    due = await watch_refunds(database).work()
    assert is_in_an_hour(due)
