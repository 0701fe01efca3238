import asyncio
from datetime import date, timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa

from chassis.database import Database, DatabaseUnavailable, Tx
from chassis.partitions import Partitioned, drop_old, make_coming

MONTHLY = Partitioned(table="papers", by="month", keep=timedelta(days=60))
DAILY = Partitioned(table="papers", by="day", keep=timedelta(days=3))


@pytest.fixture
async def papers(database: Database) -> None:
    async with database.begin() as tx:
        await run(
            tx,
            "CREATE TABLE papers (day date PRIMARY KEY, text text DEFAULT 'none')"
            " PARTITION BY RANGE (day)",
        )


async def run(tx: Tx, statement: str) -> None:
    await tx.execute(sa.text(statement))


async def partitions(database: Database) -> list[str]:
    query = (
        "SELECT inhrelid::regclass::text FROM pg_inherits"
        " WHERE inhparent = 'papers'::regclass ORDER BY 1"
    )
    async with database.begin() as tx:
        return list((await tx.execute(sa.text(query))).scalars())


def test_months_cover_what_is_kept_and_what_comes():
    spans = list(MONTHLY.spans(date(2026, 12, 31)))

    assert spans[0] == (date(2026, 11, 1), date(2026, 12, 1))
    assert spans[-1] == (date(2027, 2, 1), date(2027, 3, 1))
    assert MONTHLY.name(spans[0][0]) == "papers_202611"


@pytest.mark.parametrize("partitioned", [MONTHLY, DAILY])
@pytest.mark.parametrize("today", [date(2026, 12, 31), date(2028, 2, 29)])
def test_spans_leave_no_gap(partitioned, today):
    spans = list(partitioned.spans(today))

    assert all(one[1] == two[0] for one, two in pairwise(spans))
    assert spans[0][0] <= today - partitioned.keep
    assert spans[-1][1] > today + timedelta(days=40)


@pytest.mark.usefixtures("papers")
async def test_rows_find_their_partition_with_keys_and_defaults(database):
    await database.transact(make_coming, DAILY)

    async with database.begin() as tx:
        await run(
            tx,
            "INSERT INTO papers SELECT now()::date + n FROM generate_series(-2, 39) n",
        )
        stored = await tx.execute(sa.text("SELECT DISTINCT text FROM papers"))
        assert stored.scalar_one() == "none"
    with pytest.raises(sa.exc.IntegrityError):
        await database.transact(run, "INSERT INTO papers VALUES (now()::date)")


@pytest.mark.usefixtures("papers")
async def test_several_processes_make_them_once(database):
    async with asyncio.TaskGroup() as tasks:
        for _ in range(4):
            tasks.create_task(database.transact(make_coming, MONTHLY))

    made = await partitions(database)
    await database.transact(make_coming, MONTHLY)
    assert await partitions(database) == made


@pytest.mark.usefixtures("papers")
async def test_partitions_are_made_while_the_table_is_read_and_written(database):
    await database.transact(
        make_coming, Partitioned(table="papers", by="day", keep=timedelta())
    )
    async with database.begin() as busy:
        await run(busy, "INSERT INTO papers VALUES (now()::date)")

        await asyncio.wait_for(database.transact(make_coming, DAILY), 15)


@pytest.mark.usefixtures("papers")
async def test_only_what_is_older_than_is_kept_is_dropped(database):
    await database.transact(
        make_coming, Partitioned(table="papers", by="day", keep=timedelta(days=10))
    )
    before = await partitions(database)

    await database.transact(drop_old, DAILY)

    assert await partitions(database) == before[7:]


@pytest.mark.usefixtures("papers")
async def test_dropping_gives_way_to_who_reads(database):
    await database.transact(
        make_coming, Partitioned(table="papers", by="day", keep=timedelta(days=10))
    )
    before = await partitions(database)
    async with database.begin() as reading:
        await run(reading, "SELECT * FROM papers")
        with pytest.raises(DatabaseUnavailable):
            await database.transact(drop_old, DAILY)

    assert await partitions(database) == before


@pytest.mark.parametrize(("table", "at_least"), [("outbox", 14), ("inbox", 71)])
async def test_a_migration_makes_the_chassis_partitions(tx, table, at_least):
    query = "SELECT count(*) FROM pg_inherits WHERE inhparent = to_regclass(:table)"

    made = await tx.execute(sa.text(query), {"table": table})

    assert made.scalar_one() >= at_least
