"""Entries and postings: added, read, summed; nothing else is possible."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from msgspec import Struct
from sqlalchemy import (
    ColumnElement,
    Row,
    RowMapping,
    Uuid,
    any_,
    bindparam,
    case,
    insert,
    select,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY

from accounting.domain.ledger import Account, Entry, Posting
from accounting.domain.periods import Month
from accounting.schema import entries, postings
from accounting.store.periods import in_open_period, open_period
from chassis import metrics
from chassis.database import (
    Tx,
    after_commit,
    columns_from,
    insert_many,
    rows_from_arrays,
    run,
)
from chassis.ids import uuid7
from chassis.pages import Window

POSTED = metrics.counter(
    "orderly.entries.posted", "{entry}", "Entries added to the journal"
)

_ENTRY = {
    name: attrgetter(name)
    for name in ("rule", "order_id", "source_event_id", "effective_on")
}
_POSTING = {
    name: attrgetter(name) for name in ("account", "currency", "debit", "credit")
}
_given = ("id", *_ENTRY)
_new = rows_from_arrays(*(("entry_" + name, entries.c[name].type) for name in _given))
_day = _new.c.entry_effective_on
_days = {
    "effective_on": in_open_period(_day),
    "refers_to": case((_day < open_period.c.first_day, _day)),
}
_add_entries = insert(entries).from_select(
    [*_given, "refers_to"],
    select(
        *({name: _new.c["entry_" + name] for name in _given} | _days).values()
    ).select_from(_new.join(open_period, true())),
)
# One statement: the database weighs each INSERT as a whole. What is posted for orders
# is written with what became of them.
ADD = insert_many(postings, "entry_id", *_POSTING, prefix="posting_").add_cte(
    _add_entries.cte("added_entries")
)


class Posted(Struct, frozen=True, kw_only=True):
    """An entry as it stands in the journal."""

    id: UUID
    posted_at: datetime
    entry: Entry


class Sought(Struct, frozen=True, kw_only=True):
    """Which entries are asked for; the days are inclusive."""

    order_id: UUID | None = None
    account: Account | None = None
    since: date | None = None
    until: date | None = None


class Balance(Struct, frozen=True, kw_only=True):
    """What was ever debited and credited to an account in a currency."""

    account: Account
    currency: str
    debit: int
    credit: int


async def add(tx: Tx, batch: Sequence[Entry]) -> None:
    """Post entries; what happened in a closed period, in the first open one."""
    if batch:
        await run(tx, ADD, columns_of(batch))
        note(tx, batch)


def columns_of(batch: Sequence[Entry]) -> dict[str, list[Any]]:
    """What `ADD` takes."""
    ids = [uuid7() for _ in batch]
    posted = [posting for entry in batch for posting in entry.postings]
    return {
        "entry_id": ids,
        **columns_from(batch, _ENTRY, prefix="entry_"),
        "posting_entry_id": [
            id_ for id_, entry in zip(ids, batch, strict=True) for _ in entry.postings
        ],
        **columns_from(posted, _POSTING, prefix="posting_"),
    }


def note(tx: Tx, batch: Sequence[Entry]) -> None:
    """Count what was posted, once it is committed."""
    after_commit(tx, lambda: POSTED.add(len(batch)))


_POSTED_OF = select(entries.c.source_event_id).where(
    entries.c.source_event_id == any_(bindparam("ids", type_=ARRAY(Uuid)))
)


async def find_posted(tx: Tx, event_ids: Collection[UUID]) -> set[UUID]:
    """Which of the events are in the books already, however long ago."""
    found = await tx.execute(_POSTED_OF, {"ids": list(event_ids)})
    return set(found.scalars())


async def find(tx: Tx, sought: Sought, window: Window) -> list[Posted]:
    """Entries in the order of the journal: by their day, then as they were posted."""
    query = window.of(select(entries), entries.c.effective_on, entries.c.id)
    if sought.order_id:
        query = query.where(entries.c.order_id == sought.order_id)
    if sought.account:
        query = query.where(_touches(sought.account))
    if sought.since:
        query = query.where(entries.c.effective_on >= sought.since)
    if sought.until:
        query = query.where(entries.c.effective_on <= sought.until)
    found = (await tx.execute(query)).all()
    of_entry = await _postings(tx, [row.id for row in found])
    return [_posted(row, of_entry[row.id]) for row in found]


def _touches(account: Account) -> ColumnElement[bool]:
    here = postings.c.entry_id == entries.c.id
    return select(postings).where(here, postings.c.account == account).exists()


async def _postings(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, list[Posting]]:
    found: defaultdict[UUID, list[Posting]] = defaultdict(list)
    query = (
        select(postings)
        .where(postings.c.entry_id.in_(ids))
        # Debits first, as everybody writes them.
        .order_by(postings.c.credit > 0, postings.c.account, postings.c.currency)
    )
    for row in await tx.execute(query):
        found[row.entry_id].append(
            Posting(
                account=Account(row.account),
                debit=row.debit,
                credit=row.credit,
                currency=row.currency,
            )
        )
    return found


def _posted(row: Row[Any], of_entry: Sequence[Posting]) -> Posted:
    return Posted(
        id=row.id,
        posted_at=row.posted_at,
        entry=Entry(
            rule=row.rule,
            order_id=row.order_id,
            source_event_id=row.source_event_id,
            effective_on=row.effective_on,
            refers_to=row.refers_to,
            postings=tuple(of_entry),
        ),
    )


# What a closed month came to is kept: only what followed is summed. Whatever is of it
# was posted before it was closed.
_CLOSED_BY = {
    date: text(
        "SELECT max(month) FROM closed_periods"
        " WHERE month + interval '1 month' <= CAST(:as_of AS date) + interval '1 day'"
    ),
    datetime: text("SELECT max(month) FROM closed_periods WHERE closed_at <= :as_of"),
}
_BALANCES = """
    SELECT account, currency, sum(debit) AS debit, sum(credit) AS credit FROM (
        SELECT account, currency, debit, credit
        FROM period_balances WHERE month = :closed
        UNION ALL
        SELECT account, currency, sum(debit), sum(credit)
        FROM entries JOIN postings ON entry_id = id
        WHERE effective_on >= :since AND {until}
        GROUP BY account, currency
    ) AS posted
    GROUP BY account, currency ORDER BY account, currency
    """
_BALANCES_BY = {
    date: text(_BALANCES.format(until="effective_on <= :as_of")),
    datetime: text(_BALANCES.format(until="posted_at <= :as_of")),
}


async def balances(tx: Tx, as_of: date | datetime) -> list[Balance]:
    """What each account came to at the end of a day, or in the books at a moment."""
    kind = datetime if isinstance(as_of, datetime) else date
    # Asked on its own, so that the next plan is made for the days there really are.
    closed = (await tx.execute(_CLOSED_BY[kind], {"as_of": as_of})).scalar_one()
    days = {
        "as_of": as_of,
        "closed": closed,
        "since": Month(closed).next.first if closed else date.min,
    }
    found = await tx.execute(_BALANCES_BY[kind], days)
    return [
        Balance(
            account=Account(row.account),
            currency=row.currency,
            debit=int(row.debit),
            credit=int(row.credit),
        )
        for row in found
    ]


_CHUNK = text(
    """
    SELECT effective_on, entry_id, rule, order_id, source_event_id, refers_to,
        posted_at, account, currency, debit, credit
    FROM (
        SELECT * FROM entries
        WHERE (effective_on, id) > (CAST(:day AS date), CAST(:id AS uuid))
            AND effective_on <= :until AND posted_at <= :moment
        ORDER BY effective_on, id LIMIT :most
    ) AS entries JOIN postings ON entry_id = id
    ORDER BY effective_on, id, credit > 0, account, currency
    """
)
_BEFORE_ALL = UUID(int=0)


class Extract(Struct, frozen=True, kw_only=True):
    """Which part of the journal is read: these days, as it was posted by a moment."""

    since: date
    until: date
    moment: datetime


async def read_on(
    tx: Tx, extract: Extract, after: RowMapping | None, most: int
) -> Sequence[RowMapping]:
    """The postings of the next entries, in the order of the journal.

    Each chunk in a transaction of its own: who reads slowly holds nothing meanwhile,
    and as the journal only grows, the chunks fit together.
    """
    found = await tx.execute(
        _CHUNK,
        {
            "day": after["effective_on"] if after else extract.since,
            "id": after["entry_id"] if after else _BEFORE_ALL,
            "until": extract.until,
            "moment": extract.moment,
            "most": most,
        },
    )
    return found.mappings().all()
