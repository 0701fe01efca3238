"""What is open of documents, and what settles it: credit notes and payments."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from msgspec import Struct
from sqlalchemy import BigInteger, Text, Uuid, any_, bindparam, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from accounting.domain.documents import Series
from accounting.schema import documents
from chassis.database import Tx, rows_from_arrays

_open = documents.c.total - documents.c.paid - documents.c.credited
_OPEN_OF_ORDERS = (
    select(
        documents.c.id, documents.c.order_id, documents.c.series, _open.label("open")
    )
    .where(
        documents.c.order_id == any_(bindparam("ids", type_=ARRAY(Uuid))),
        _open > 0,
    )
    .order_by(documents.c.order_id, documents.c.id)
)
_settled = rows_from_arrays(("document", Uuid()), ("amount", BigInteger()))
_CREDIT = (
    update(documents)
    .where(documents.c.id == _settled.c.document)
    .values(credited=documents.c.credited + _settled.c.amount)
)
_PAY = (
    update(documents)
    .where(documents.c.id == _settled.c.document)
    .values(paid=documents.c.paid + _settled.c.amount)
)


class Open(Struct, frozen=True, kw_only=True):
    """A document that is not settled yet, and by how much."""

    id: UUID
    order_id: UUID
    series: Series
    open: int


async def find_open(
    tx: Tx, order_ids: Collection[UUID]
) -> Mapping[UUID, Sequence[Open]]:
    """Open invoices and credit notes, per order, the oldest first."""
    found: defaultdict[UUID, list[Open]] = defaultdict(list)
    for row in await tx.execute(_OPEN_OF_ORDERS, {"ids": list(order_ids)}):
        found[row.order_id].append(
            Open(
                id=row.id,
                order_id=row.order_id,
                series=Series(row.series),
                open=row.open,
            )
        )
    return found


async def credit(tx: Tx, amounts: Mapping[UUID, int]) -> None:
    """Settle documents by that much against others of their order."""
    if amounts:
        await tx.execute(_CREDIT, _rows(amounts))


async def pay(tx: Tx, amounts: Mapping[UUID, int]) -> None:
    if amounts:
        await tx.execute(_PAY, _rows(amounts))


def _rows(amounts: Mapping[UUID, int]) -> dict[str, list[UUID] | list[int]]:
    return {"document": list(amounts), "amount": list(amounts.values())}


class Payable(Struct, frozen=True, kw_only=True):
    """An invoice as who pays it knows it, and what is open of it."""

    id: UUID
    order_id: UUID
    number: str
    customer_id: str
    currency: str
    total: int
    paid: int
    open: int


_PAYABLE = tuple(
    documents.c[name]
    for name in (
        "id",
        "order_id",
        "number",
        "customer_id",
        "currency",
        "total",
        "paid",
    )
)
_INVOICES = select(*_PAYABLE, _open.label("open")).where(
    documents.c.series == Series.INVOICE,
    documents.c.number == any_(bindparam("numbers", type_=ARRAY(Text))),
)


async def find_invoices(tx: Tx, numbers: Collection[str]) -> dict[str, Payable]:
    """The invoices of these numbers, as far as there are any."""
    rows = await tx.execute(_INVOICES, {"numbers": list(numbers)})
    return {row["number"]: Payable(**row) for row in rows.mappings()}
