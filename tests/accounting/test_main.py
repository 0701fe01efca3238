from accounting.commands.documents import number_documents
from accounting.commands.gaps import Patience
from accounting.handlers.orders import post_orders
from accounting.main import SERVICE, watch
from accounting.settings import EXAMPLE_SELLER
from contracts import topology
from tests.accounting.factories import an_order, confirmed, story


def test_accounting_hears_every_queue_that_is_its_own():
    assert set(SERVICE.hears) == set(topology.TOPOLOGY.queues_of("accounting"))


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
