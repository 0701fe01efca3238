"""How fast full books answer: `python bench/books.py 200000` loads so many entries.

On a PostgreSQL of its own, thrown away afterwards. An entry has three postings; every
other one comes with an invoice, of which one in twenty is open.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime

from sqlalchemy import text

from accounting.domain.ledger import Account
from accounting.domain.periods import Month
from accounting.store import journal, periods, reports
from accounting.store.journal import Extract, Sought
from chassis.database import Database, Tx
from chassis.pages import Window
from chassis.testing import Databases
from orderly.stack.postgres import Postgres

ROUNDS = 5
AT_ONCE = 100_000
YEAR_END = date(2026, 12, 31)

_ENTRIES = text(
    """
    INSERT INTO entries (id, rule, order_id, source_event_id, effective_on)
    SELECT lpad(to_hex(n), 32, '0')::uuid, 'order_shipped', gen_random_uuid(),
        gen_random_uuid(), date '2026-01-01' + (n * 365 / :entries)::int
    FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n
    """
)
_POSTINGS = text(
    """
    INSERT INTO postings (entry_id, account, currency, debit, credit)
    SELECT lpad(to_hex(n), 32, '0')::uuid, account, 'EUR', debit, credit
    FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n,
        (VALUES ('1100', 1190, 0), ('4000', 0, 1000), ('2100', 0, 190))
            AS leg (account, debit, credit)
    """
)
_DOCUMENTS = text(
    """
    INSERT INTO documents (id, series, number, order_id, source_event_id, customer_id,
        currency, issued_on, due_on, lines, taxes, net, tax, total, paid)
    SELECT lpad(to_hex(n), 32, '0')::uuid, 'INV', 'INV-2026-' || n, gen_random_uuid(),
        gen_random_uuid(), 'c-' || n % 5000, 'EUR', issued_on, issued_on + 30,
        '[{"line": 1, "sku": "SOAP-5L", "quantity": 1, "net": 1000, "tax": 190}]',
        '[{"rate": "19.00", "net": 1000, "tax": 190}]', 1000, 190, 1190,
        CASE WHEN n % 20 = 0 THEN 0 ELSE 1190 END
    FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint), 2) AS n,
        LATERAL (SELECT date '2026-01-01' + (n * 365 / :entries)::int) AS d (issued_on)
    """
)


async def main(count: int) -> None:
    async with Postgres.throwaway() as server:
        database = Database(
            await Databases(server.url()).make("accounting"), application_name="bench"
        )
        await _load(database, count)
        print(
            f"{count:,} entries, {3 * count:,} postings; milliseconds, best and worst"
        )
        await _ask(database)
        for month in range(1, 12):
            await database.transact(periods.close, Month(date(2026, month, 1)), "bench")
        print("and with eleven months closed")
        await _ask_balances(database)
        await database.close()


async def _load(database: Database, count: int) -> None:
    for first in range(0, count, AT_ONCE):
        rows = {"first": first, "last": min(first + AT_ONCE, count) - 1}
        async with database.begin() as tx:
            await tx.execute(_ENTRIES, {**rows, "entries": count})
            await tx.execute(_POSTINGS, rows)
            await tx.execute(_DOCUMENTS, {**rows, "entries": count})
    async with database.begin() as tx:
        await tx.execute(text("ANALYZE"))


async def _ask(database: Database) -> None:
    await _ask_balances(database)
    await _measure(
        "receivables ageing", database, lambda tx: reports.ageing(tx, YEAR_END)
    )
    await _measure(
        "… of half a year ago",
        database,
        lambda tx: reports.ageing(tx, date(2026, 6, 30)),
    )
    await _measure(
        "tax of a month",
        database,
        lambda tx: reports.tax(tx, date(2026, 11, 1), date(2026, 11, 30)),
    )
    await _measure(
        "revenue of a month by day",
        database,
        lambda tx: reports.revenue(tx, "day", date(2026, 11, 1), date(2026, 11, 30)),
    )
    window = Window(50, None)
    sales, bank = Sought(account=Account.SALES), Sought(account=Account.BANK)
    await _measure(
        "fifty entries of sales", database, lambda tx: journal.find(tx, sales, window)
    )
    await _measure(
        "… of the bank, which has none",
        database,
        lambda tx: journal.find(tx, bank, window),
    )
    await _read_all(database)


async def _ask_balances(database: Database) -> None:
    await _measure("trial balance", database, lambda tx: journal.balances(tx, YEAR_END))
    now = datetime.now(UTC)
    await _measure("… as of a moment", database, lambda tx: journal.balances(tx, now))


async def _measure(
    name: str, database: Database, work: Callable[[Tx], Awaitable[object]]
) -> None:
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await database.transact(work)
        took.append((time.perf_counter() - began) * 1000)
    print(f"  {name:30} {min(took):8.0f} {max(took):8.0f}")


async def _read_all(database: Database) -> None:
    extract = Extract(since=date.min, until=date.max, moment=datetime.now(UTC))
    began, rows, chunk = time.perf_counter(), 0, None
    while chunk is None or chunk:
        last = chunk[-1] if chunk else None
        chunk = await database.transact(journal.read_on, extract, last, 1000)
        rows += len(chunk)
    took_s = time.perf_counter() - began
    print(f"  the journal, read in chunks    {took_s * 1000:8.0f} for {rows:,} rows")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 200_000))
