"""Entries and postings: added, read, summed; nothing else is possible."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Row,
    Uuid,
    any_,
    bindparam,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from uuid_utils.compat import uuid7

from accounting.domain.ledger import Account, Entry, Posting
from accounting.schema import entries, postings
from accounting.store.periods import first_open_day
from chassis import metrics
from chassis.database import Tx, after_commit, columns_of, insert_many
from chassis.pages import Window

POSTED = metrics.counter(
    "orderly.entries.posted", "{entry}", "Entries added to the journal"
)

_ENTRY = (
    "id",
    "rule",
    "order_id",
    "source_event_id",
    "effective_on",
    "refers_to",
)
_POSTING = ("entry_id", "account", "currency", "debit", "credit")
_ADD_ENTRIES = insert_many(entries, *_ENTRY)
_ADD_POSTINGS = insert_many(postings, *_POSTING)


@dataclass(frozen=True, kw_only=True)
class Posted:
    """An entry as it stands in the journal."""

    id: UUID
    posted_at: datetime
    entry: Entry


@dataclass(frozen=True, kw_only=True)
class Sought:
    """Which entries are asked for; the days are inclusive."""

    order_id: UUID | None = None
    account: Account | None = None
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, kw_only=True)
class Balance:
    """What was ever debited and credited to an account in a currency."""

    account: Account
    currency: str
    debit: int
    credit: int


async def add(tx: Tx, batch: Sequence[Entry]) -> None:
    """Post entries; what happened in a closed period, in the first open one."""
    if not batch:
        return
    first_open = await first_open_day(tx)
    rows: list[dict[str, Any]] = []
    posting_rows: list[dict[str, Any]] = []
    for entry in (one.not_before(first_open) for one in batch):
        id_ = uuid7()
        rows.append({"id": id_, **vars(entry)})
        posting_rows += [{"entry_id": id_, **vars(p)} for p in entry.postings]
    await tx.execute(_ADD_ENTRIES, columns_of(rows, _ENTRY))
    # All in one statement: the database weighs each INSERT as a whole.
    await tx.execute(_ADD_POSTINGS, columns_of(posting_rows, _POSTING))
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


async def balances(tx: Tx, as_of: date | datetime) -> list[Balance]:
    """What each account came to at the end of a day, or in the books at a moment."""
    by_then = (
        entries.c.posted_at <= as_of
        if isinstance(as_of, datetime)
        else entries.c.effective_on <= as_of
    )
    query = (
        select(
            postings.c.account,
            postings.c.currency,
            func.sum(postings.c.debit).label("debit"),
            func.sum(postings.c.credit).label("credit"),
        )
        .join(entries, entries.c.id == postings.c.entry_id)
        .where(by_then)
        .group_by(postings.c.account, postings.c.currency)
        .order_by(postings.c.account, postings.c.currency)
    )
    return [
        Balance(
            account=Account(row.account),
            currency=row.currency,
            debit=int(row.debit),
            credit=int(row.credit),
        )
        for row in await tx.execute(query)
    ]
