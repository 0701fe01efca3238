"""Documents and their numbers."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from operator import attrgetter
from typing import Any
from uuid import UUID

from msgspec import Struct, json
from msgspec.structs import replace
from sqlalchemy import (
    ColumnElement,
    Result,
    RowMapping,
    SmallInteger,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    cast,
    func,
    literal_column,
    over,
    select,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert

from accounting.domain.documents import (
    Document,
    Series,
    TaxOfRate,
    corrected,
)
from accounting.domain.orders import Order
from accounting.domain.positions import Position
from accounting.domain.shares import Item
from accounting.schema import document_series, documents, orders, sellers
from accounting.store.orders import position
from accounting.store.periods import in_open_period, open_period
from chassis import tracing
from chassis.database import (
    Row,
    Tx,
    columns_from,
    places_of,
    rows_from_arrays,
    run,
)
from chassis.ids import uuid7
from chassis.pages import Window

_DOCUMENT = (
    "id",
    "series",
    "order_id",
    "source_event_id",
    "customer_id",
    "currency",
    "issued_on",
    "due_on",
    "lines",
    "taxes",
    "net",
    "tax",
    "total",
    "paid",
    "traceparent",
)
_OF_DOCUMENT = tuple(n for n in _DOCUMENT if n not in {"id", "traceparent"})
_PLACES: Mapping[str, Callable[[Document], Any]] = {
    **places_of(_OF_DOCUMENT, {}),
    "lines": lambda document: json.encode(document.lines).decode(),
    "taxes": lambda document: json.encode(document.taxes).decode(),
    "traceparent": lambda document: tracing.traceparent(str(document.order_id)),
}
_new = rows_from_arrays(
    *(("document_" + name, documents.c[name].type) for name in _DOCUMENT)
)
_issued_on = in_open_period(_new.c.document_issued_on)
# Each as of a day of an open period, as its entry is.
_dated = (
    select(
        *(
            cast(value, documents.c[name].type).label(name)
            for name, value in {
                **{name: _new.c["document_" + name] for name in _DOCUMENT},
                "issued_on": _issued_on,
                "due_on": _new.c.document_due_on
                + (_issued_on - _new.c.document_issued_on),
            }.items()
        ),
        func.extract("year", _issued_on).cast(SmallInteger).label("year"),
    )
    .select_from(_new.join(open_period, true()))
    .cte("dated")
)
# Who has this lock numbers, until the commit: the next one starts from what is there
# then, so that no number is given twice and none is left out.
_LOCK: ColumnElement[int] = literal_column("hashtext('document numbers')")
# They are numbered as they are stored, if nobody else is numbering, none is known to
# wait for its number, and their seller is known: who posts never waits. The seller is
# looked for first, so that the lock is not taken to number nothing.
_known = (
    select(sellers.c.id)
    .where(sellers.c.details == cast(bindparam("seller", type_=Text), JSONB))
    .limit(1)
    .subquery("known")
)
_turn = (
    select(_known.c.id.label("seller_id"))
    .where(
        select(_dated.c.id).exists(),
        ~select(documents.c.id).where(documents.c.number.is_(None)).exists(),
        func.pg_try_advisory_xact_lock(_LOCK),
    )
    .cte("turn")
)
_more = insert(document_series).from_select(
    ["series", "year", "last"],
    select(_dated.c.series, _dated.c.year, func.count())
    .join_from(_dated, _turn, true())
    .group_by(_dated.c.series, _dated.c.year),
)
_reached = (
    _more.on_conflict_do_update(
        index_elements=["series", "year"],
        set_={"last": document_series.c.last + _more.excluded.last},
    )
    .returning(*document_series.c)
    .cte("reached")
)
_in_series = over(
    func.row_number(),
    partition_by=(_dated.c.series, _dated.c.year),
    order_by=_dated.c.id.desc(),  # the last of them has the last number
)
_queued = (
    select(
        *(_dated.c[name] for name in _DOCUMENT),
        _turn.c.seller_id,
        _dated.c.year,
        cast(_reached.c.last + 1 - _in_series, Text).label("serial"),
    )
    .join_from(
        _dated,
        _reached,
        and_(_reached.c.series == _dated.c.series, _reached.c.year == _dated.c.year),
        isouter=True,
    )
    .join(_turn, true(), isouter=True)
    .subquery("queued")
)
_TOLD = (
    "series",
    "number",
    "order_id",
    "customer_id",
    "currency",
    "total",
    "issued_on",
    "due_on",
    "traceparent",
)
# Of what has its `series`, `year` and `serial`.
_NUMBER_OF = (
    "series || '-' || year || '-' || lpad(serial, greatest(6, length(serial)), '0')"
)
ADD = (
    insert(documents)
    .from_select(
        [*_DOCUMENT, "seller_id", "number"],
        select(
            *(_queued.c[name] for name in (*_DOCUMENT, "seller_id")),
            literal_column(_NUMBER_OF),
        ),
    )
    .returning(*(documents.c[name] for name in _TOLD))
)
_ISSUED = select(documents).where(documents.c.number.is_not(None))
_PRINTABLE = (
    select(orders.c.number, orders.c.placed_on, orders.c.ship_to, sellers.c.details)
    .select_from(documents)
    .join(orders, orders.c.id == documents.c.order_id)
    .join(sellers, sellers.c.id == documents.c.seller_id, isouter=True)
)
_OF_ORDERS = _ISSUED.where(
    documents.c.order_id == any_(bindparam("ids", type_=ARRAY(Uuid)))
).order_by(documents.c.id)

_ONE_AT_A_TIME = select(func.pg_advisory_xact_lock(_LOCK))
_GIVE_NUMBERS = """
    WITH known_seller AS (
        SELECT id FROM sellers WHERE details = CAST(:seller AS jsonb) LIMIT 1
    ), new_seller AS (
        INSERT INTO sellers (details) SELECT CAST(:seller AS jsonb)
        WHERE NOT EXISTS (SELECT FROM known_seller)
            AND EXISTS (SELECT FROM documents WHERE number IS NULL)
        RETURNING id
    ), seller AS (
        SELECT id FROM known_seller UNION ALL SELECT id FROM new_seller
    ), unnumbered AS (
        SELECT id, series, extract(year FROM issued_on)::smallint AS year
        FROM documents WHERE number IS NULL ORDER BY id LIMIT :most
    ), reached AS (
        INSERT INTO document_series AS known (series, year, last)
        SELECT series, year, count(*) FROM unnumbered GROUP BY series, year
        ON CONFLICT (series, year) DO UPDATE SET last = known.last + excluded.last
        RETURNING series, year, last
    ), queued AS (
        SELECT id, series, year, (last + 1 - row_number() OVER
            (PARTITION BY series, year ORDER BY id DESC))::text AS serial
        FROM unnumbered JOIN reached USING (series, year)
    ), given AS (
        SELECT id, {number} AS number FROM queued
    )
    UPDATE documents SET number = given.number, seller_id = seller.id
    FROM given, orders, seller
    WHERE documents.id = given.id AND orders.id = documents.order_id
    RETURNING {told}, orders.payment_version, orders.payment_status
    """
_NUMBER = text(
    _GIVE_NUMBERS.format(
        number=_NUMBER_OF, told=", ".join(f"documents.{name}" for name in _TOLD)
    )
)
_COUNT_UNNUMBERED = (
    select(func.count()).select_from(documents).where(documents.c.number.is_(None))
)


class Numbered(Struct, frozen=True, kw_only=True):
    """A document that has just got its number, and how far its order is paid: all that
    others are told.
    """

    series: Series
    number: str
    order_id: UUID
    customer_id: str
    currency: str
    total: int
    issued_on: date
    due_on: date
    payment: Position
    traceparent: str | None


class Issued(Struct, frozen=True, kw_only=True):
    """A document as it stands in its series, and the invoices it corrects.

    `credited` of an invoice: by credit notes; of a credit note: on invoices.
    """

    id: UUID
    number: str
    document: Document
    credited: int
    corrects: tuple[str, ...] = ()


class Printable(Struct, frozen=True, kw_only=True):
    """A document with what a paper also says of its order."""

    issued: Issued
    order_number: str
    placed_on: date
    ship_to: Mapping[str, Any]
    seller: Mapping[str, Any] | None


def columns_of(batch: Sequence[Document], seller: str | None) -> dict[str, Any]:
    """What `ADD` takes."""
    return {
        "document_id": [uuid7() for _ in batch],
        **columns_from(batch, _PLACES, prefix="document_"),
        "seller": seller,
    }


async def number(tx: Tx, most: int, seller: str) -> list[Numbered]:
    """Number the documents that have waited longest, in the order they were stored.

    One process at a time, until its commit: the next one starts from what it sees
    then, so that no number is given twice and none is left out.
    """
    await tx.execute(_ONE_AT_A_TIME)
    rows = await run(tx, _NUMBER, {"most": most, "seller": seller})
    found = [_numbered(row, position(row)) for row in rows]
    return sorted(found, key=attrgetter("number"))


def numbered(rows: Iterable[Row], after: Mapping[UUID, Order]) -> list[Numbered]:
    """Those of what `ADD` answers that have their numbers."""
    found = [
        _numbered(row, after[row["order_id"]].position) for row in rows if row["number"]
    ]
    return sorted(found, key=attrgetter("number"))


def _numbered(row: Row, payment: Position) -> Numbered:
    return Numbered(
        series=Series(row["series"]),
        number=row["number"],
        order_id=row["order_id"],
        customer_id=row["customer_id"],
        currency=row["currency"],
        total=row["total"],
        issued_on=row["issued_on"],
        due_on=row["due_on"],
        payment=payment,
        traceparent=row["traceparent"],
    )


async def count_unnumbered(tx: Tx) -> int:
    return (await tx.execute(_COUNT_UNNUMBERED)).scalar_one()


async def find(
    tx: Tx,
    series: Series,
    window: Window,
    *,
    order_id: UUID | None = None,
    customers: Collection[str] = (),
) -> list[Issued]:
    """Issued documents, the newest first; of a customer, if it is one of each given."""
    query = window.of(_ISSUED, documents.c.id, newest_first=True)
    query = query.where(documents.c.series == series)
    if order_id:
        query = query.where(documents.c.order_id == order_id)
    for customer_id in customers:
        query = query.where(documents.c.customer_id == customer_id)
    return await _with_reasons(tx, await tx.execute(query))


async def get(tx: Tx, series: Series, number: str) -> Issued | None:
    query = _ISSUED.where(documents.c.series == series, documents.c.number == number)
    found = await _with_reasons(tx, await tx.execute(query))
    return found[0] if found else None


async def _with_reasons(tx: Tx, rows: Result[Any]) -> list[Issued]:
    """The documents of the rows; a credit note knows the invoices it corrects."""
    found = [_issued(row) for row in rows.mappings()]
    notes = [one for one in found if one.document.series is Series.CREDIT_NOTE]
    if not notes:
        return found
    of_order: defaultdict[UUID, list[Issued]] = defaultdict(list)
    orders_of = {"ids": list({note.document.order_id for note in notes})}
    for row in (await tx.execute(_OF_ORDERS, orders_of)).mappings():
        of_order[row["order_id"]].append(_issued(row))
    return [
        replace(one, corrects=_corrects(one, of_order[one.document.order_id]))
        for one in found
    ]


def _corrects(note: Issued, of_order: Sequence[Issued]) -> tuple[str, ...]:
    return corrected(
        note.document,
        [
            one.document
            for one in of_order
            if one.document.series is Series.CREDIT_NOTE and one.id < note.id
        ],
        {
            one.number: one.document
            for one in of_order
            if one.document.series is Series.INVOICE
        },
    )


async def get_printable(tx: Tx, issued: Issued) -> Printable:
    row = (await tx.execute(_PRINTABLE.where(documents.c.id == issued.id))).one()
    return Printable(
        issued=issued,
        order_number=row.number,
        placed_on=row.placed_on,
        ship_to=row.ship_to,
        seller=row.details,
    )


def _issued(row: RowMapping) -> Issued:
    lines = tuple(Item(**line) for line in row["lines"])
    taxes = tuple(TaxOfRate(**tax) for tax in row["taxes"])
    of_document = {name: row[name] for name in _OF_DOCUMENT}
    series = Series(row["series"])
    return Issued(
        id=row["id"],
        number=row["number"],
        document=Document(
            **of_document | {"series": series, "lines": lines, "taxes": taxes}
        ),
        credited=row["credited"],
    )
