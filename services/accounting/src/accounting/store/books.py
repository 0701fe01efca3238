"""All that facts of orders bring forth, in one round trip."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from accounting.domain.bookkeeping import Books
from accounting.domain.orders import Order
from accounting.store import documents, journal, orders, refunds
from accounting.store.documents import Numbered
from accounting.store.refunds import Requested
from chassis.database import Tx, run

# The triggers of entries and documents hold the periods also when nothing is added. It
# does no harm: writers share them, and who closes a month waits for these with nothing
# in hand that they could need.
_WRITE = documents.ADD.add_cte(
    orders.MOVE_CURSORS.cte("moved_cursors"),
    orders.SAVE.cte("saved_lines"),
    journal.ADD.cte("added_postings"),
    refunds.ADD.cte("added_refunds"),
)


async def write(  # noqa: PLR0913 - all that is written at once
    tx: Tx,
    books: Books,
    *,
    reached: Mapping[UUID, int],
    before: Mapping[UUID, Order],
    after: Mapping[UUID, Order],
    seller: str | None,
) -> tuple[Sequence[Requested], Sequence[Numbered]]:
    """How far held orders got and what became of them, and what is new in the books;
    answers with the refunds of it, and the documents that have their numbers.
    """
    if not reached:
        return [], []
    requested = refunds.request(books.refunds)
    rows = await run(
        tx,
        _WRITE,
        orders.columns_of_cursors(reached)
        | orders.columns_of(before, after.values())
        | journal.columns_of(books.entries)
        | documents.columns_of(books.documents, seller)
        | refunds.columns_of(requested),
    )
    journal.note(tx, books.entries)
    return requested, documents.numbered(rows, after)
