"""All that facts of orders bring forth, in one round trip."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from accounting.domain.bookkeeping import Books
from accounting.domain.orders import Order
from accounting.store import documents, journal, orders, refunds
from accounting.store.refunds import Requested
from chassis.database import Tx, run

# The triggers of entries and documents hold the periods also when nothing is added. It
# does no harm: writers share them, and who closes a month waits for these with nothing
# in hand that they could need.
_WRITE = journal.ADD.add_cte(
    orders.MOVE_CURSORS.cte("moved_cursors"),
    orders.SAVE.cte("saved_lines"),
    documents.ADD.cte("added_documents"),
    refunds.ADD.cte("added_refunds"),
)


async def write(
    tx: Tx,
    books: Books,
    *,
    reached: Mapping[UUID, int],
    before: Mapping[UUID, Order],
    after: Mapping[UUID, Order],
) -> Sequence[Requested]:
    """How far held orders got and what became of them, and what is new in the books;
    answers with the refunds of it.
    """
    if not reached:
        return []
    requested = refunds.request(books.refunds)
    await run(
        tx,
        _WRITE,
        orders.columns_of_cursors(reached)
        | orders.columns_of(before, after.values())
        | journal.columns_of(books.entries)
        | documents.columns_of(books.documents)
        | refunds.columns_of(requested),
    )
    journal.note(tx, books.entries)
    return requested
