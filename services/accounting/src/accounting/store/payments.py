"""Payments of customers on terms, and the invoices they were allocated to."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date
from uuid import UUID

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import RowMapping, insert, select

from accounting.schema import documents, payment_allocations, payments
from chassis.database import Tx, columns_of, insert_many
from chassis.pages import Window

_ALLOCATION = ("payment_id", "document_id", "place", "amount")
_ALLOCATE = insert_many(payment_allocations, *_ALLOCATION)


class Allocation(Struct, frozen=True, kw_only=True):
    invoice: str
    amount: int


class Payment(Struct, frozen=True, kw_only=True):
    """`unallocated` stays to the customer's credit."""

    id: UUID
    customer_id: str
    amount: int
    currency: str
    reference: str
    received_on: date
    unallocated: int
    allocations: tuple[Allocation, ...]


async def add(tx: Tx, payment: Payment, allocated: Sequence[tuple[UUID, int]]) -> None:
    """Store a payment, and what each document gets of it."""
    row = {name: value for name, value in asdict(payment).items() if name in payments.c}
    await tx.execute(insert(payments).values(row))
    rows = [
        {
            "payment_id": payment.id,
            "document_id": document_id,
            "place": place,
            "amount": amount,
        }
        for place, (document_id, amount) in enumerate(allocated)
    ]
    if rows:
        await tx.execute(_ALLOCATE, columns_of(rows, _ALLOCATION))


async def find(
    tx: Tx,
    window: Window,
    *,
    id: UUID | None = None,
    customers: Collection[str] = (),
) -> list[Payment]:
    """Payments, the newest first; of a customer, if it is one of each given."""
    query = window.of(select(payments), payments.c.id, newest_first=True)
    if id:
        query = query.where(payments.c.id == id)
    for customer_id in customers:
        query = query.where(payments.c.customer_id == customer_id)
    rows = (await tx.execute(query)).mappings().all()
    allocations = await _allocations(tx, [row["id"] for row in rows])
    return [_payment(row, allocations[row["id"]]) for row in rows]


async def get(tx: Tx, id: UUID, *, customers: Collection[str] = ()) -> Payment | None:
    found = await find(tx, Window(1, None), id=id, customers=customers)
    return found[0] if found else None


async def _allocations(
    tx: Tx, ids: Collection[UUID]
) -> defaultdict[UUID, list[Allocation]]:
    query = (
        select(payment_allocations, documents.c.number)
        .join(documents, documents.c.id == payment_allocations.c.document_id)
        .where(payment_allocations.c.payment_id.in_(ids))
        .order_by(payment_allocations.c.payment_id, payment_allocations.c.place)
    )
    found: defaultdict[UUID, list[Allocation]] = defaultdict(list)
    for row in await tx.execute(query):
        found[row.payment_id].append(Allocation(invoice=row.number, amount=row.amount))
    return found


def _payment(row: RowMapping, allocations: Sequence[Allocation]) -> Payment:
    return Payment(**row, allocations=tuple(allocations))
