import asyncio
import traceback
from collections.abc import AsyncIterator
from functools import partial
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import sqlalchemy as sa

from chassis import database as databases_module
from chassis.database import (
    ARRAYS,
    Database,
    DatabaseUnavailable,
    StartOver,
    Tx,
    after_commit,
    announce,
    changes_of,
    columns_of,
    insert_many,
    is_away,
    run,
    update_many,
)
from chassis.testing import eventually
from orderly.stack.postgres import Postgres
from sample.schema import notes
from tests.chaos.postgres_proxy import PostgresProxy

pytestmark = pytest.mark.xdist_group("database")  # one server serves them all

KILL = sa.text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = :name AND pid <> pg_backend_pid()"
)


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[Postgres]:
    """A server that a test may stop."""
    async with Postgres.throwaway() as server:
        yield server


@pytest.fixture
async def stoppable(server: Postgres) -> AsyncIterator[Database]:
    database = Database(server.url(), application_name="stoppable", connect_timeout_s=5)
    yield database
    await database.close()


@pytest.fixture
async def other(server: Postgres) -> AsyncIterator[Database]:
    database = Database(server.url(), application_name="other", connect_timeout_s=5)
    yield database
    await database.close()


async def one(tx: Tx) -> int:
    return int((await tx.execute(sa.text("SELECT 1"))).scalar_one())


async def kill_connections(other: Database) -> None:
    async def gone() -> bool:
        async with other.begin() as tx:
            return not (await tx.execute(KILL, {"name": "stoppable"})).all()

    await eventually(gone)


async def add_note(tx: Tx, text: str = "") -> None:
    await tx.execute(sa.insert(notes).values(id=uuid4(), text=text))


async def count_notes(tx: Tx) -> int:
    found = await tx.execute(sa.select(sa.func.count()).select_from(notes))
    return int(found.scalar_one())


SLEEP = sa.text("SELECT pg_sleep(:seconds)")


async def one_by_driver(tx: Tx) -> int:
    return len(await run(tx, SLEEP, {"seconds": 0}))


@pytest.mark.parametrize("work", [one, one_by_driver])
async def test_connections_that_died_while_idle_are_replaced(stoppable, other, work):
    await asyncio.gather(*(stoppable.transact(work) for _ in range(8)))

    await kill_connections(other)

    assert await stoppable.transact(work) == 1


async def test_a_connection_that_dies_before_the_drivers_first_statement(
    stoppable, other
):
    attempts = 0

    async def work(tx: Tx) -> int:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            await kill_connections(other)
            await eventually(partial(is_dead, tx))
        await one_by_driver(tx)
        return attempts

    assert await stoppable.transact(work) == 2


async def is_dead(tx: Tx) -> bool:
    connection = await tx.get_raw_connection()
    driver: Any = connection.driver_connection
    return bool(driver.is_closed())


@pytest.mark.parametrize("statements_after", [0, 1])
async def test_a_transaction_whose_connection_dies_starts_over(
    stoppable, other, statements_after
):
    attempts = 0

    async def work(tx: Tx) -> int:
        nonlocal attempts
        attempts += 1
        await one(tx)
        if attempts == 1:
            await kill_connections(other)
        for _ in range(statements_after):
            await one(tx)
        return attempts

    assert await stoppable.transact(work) == 2


async def test_a_connection_that_dies_within_a_statement_is_replaced(stoppable, other):
    async def sleep(tx: Tx, seconds: int) -> None:
        await tx.execute(sa.text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})

    sleeps = iter([60, 0])
    working = asyncio.create_task(
        stoppable.transact(lambda tx: sleep(tx, next(sleeps)))
    )

    async def killed_asleep() -> bool:
        async with other.begin() as tx:
            asleep = sa.text(f"{KILL.text} AND query LIKE '%pg_sleep%'")
            return bool((await tx.execute(asleep, {"name": "stoppable"})).all())

    await eventually(killed_asleep)

    await working


async def test_a_connection_that_dies_within_the_drivers_statement_is_replaced(
    stoppable, other
):
    sleeps = iter([60, 0, 0])
    working = asyncio.create_task(
        stoppable.transact(lambda tx: run(tx, SLEEP, {"seconds": next(sleeps)}))
    )

    async def killed_asleep() -> bool:
        async with other.begin() as tx:
            asleep = sa.text(f"{KILL.text} AND query LIKE '%pg_sleep%'")
            return bool((await tx.execute(asleep, {"name": "stoppable"})).all())

    await eventually(killed_asleep)

    await working
    await stoppable.transact(run, SLEEP, {"seconds": 0})


async def test_a_connection_that_is_left_within_the_drivers_statement_is_closed(
    stoppable, other
):
    connected = sa.text(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'stoppable'"
        " AND wait_event = 'PgSleep'"
    )
    still_there = sa.text("SELECT 1 FROM pg_stat_activity WHERE pid = :pid")
    working = asyncio.create_task(stoppable.transact(run, SLEEP, {"seconds": 60}))
    pids: list[int] = []

    async def is_asleep() -> bool:
        async with other.begin() as tx:
            pids.extend((await tx.execute(connected)).scalars())
        return bool(pids)

    async def is_closed() -> bool:
        async with other.begin() as tx:
            return not (await tx.execute(still_there, {"pid": pids[0]})).all()

    await eventually(is_asleep)
    working.cancel()

    await eventually(is_closed)
    assert await stoppable.transact(one_by_driver) == 1


async def test_what_the_driver_does_first_is_undone_with_the_rest(database):
    one_note = columns_of([{"id": uuid4(), "text": "gone"}], ("id", "text"))

    async def fail(tx: Tx) -> None:
        await run(tx, insert_many(notes, "id", "text"), one_note)
        raise LookupError

    with pytest.raises(LookupError):
        await database.transact(fail)

    assert await database.transact(count_notes) == 0


@pytest.mark.parametrize("ask", [run, Tx.execute])
async def test_what_goes_on_after_an_error_is_not_taken_for_done(database, ask):
    async def go_on(tx: Tx) -> None:
        await add_note(tx)
        with pytest.raises((asyncpg.DataError, sa.exc.DBAPIError)):
            await ask(tx, sa.text("SELECT 1 / 0"), {})

    with pytest.raises(sa.exc.ResourceClosedError):
        await database.transact(go_on)

    assert await database.transact(count_notes) == 0


@pytest.mark.parametrize("ask", [run, Tx.execute])
async def test_what_a_migration_has_changed_is_asked_for_anew(stoppable, other, ask):
    everything = sa.text("SELECT * FROM changing")
    async with other.begin() as tx:
        await tx.execute(sa.text("CREATE TABLE IF NOT EXISTS changing (text text)"))
    await stoppable.transact(ask, everything, {})

    async with other.begin() as tx:
        await tx.execute(sa.text("ALTER TABLE changing ADD added int DEFAULT 1"))

    await stoppable.transact(ask, everything, {})
    async with other.begin() as tx:
        await tx.execute(sa.text("DROP TABLE changing"))


@pytest.mark.parametrize("value", ["a\x00b", "a\ud800b", 7])
async def test_the_content_is_to_blame_by_the_driver_too(database, value):
    refused = columns_of([{"id": uuid4(), "text": value}], ("id", "text"))

    with pytest.raises(Exception) as raised:  # noqa: PT011 - of several kinds
        await database.transact(run, insert_many(notes, "id", "text"), refused)

    assert not is_away(raised.value)
    assert not isinstance(raised.value, DatabaseUnavailable)


async def test_the_drivers_errors_do_not_tell_what_was_stored(database):
    row = {"id": uuid4(), "text": "Ada Byron"}
    twice = columns_of([row, row], ("id", "text"))

    with pytest.raises(asyncpg.UniqueViolationError) as raised:
        await database.transact(run, insert_many(notes, "id", "text"), twice)

    assert str(row["id"]) not in str(raised.value)


async def test_a_stopped_server_is_away_and_a_started_one_is_back(server, stoppable):
    await stoppable.transact(one)
    await server.stop()
    try:
        with pytest.raises(DatabaseUnavailable):
            await stoppable.transact(one)
    finally:
        await server.start()

    assert await stoppable.transact(one) == 1


async def test_a_restarted_server_is_noticed_by_nobody(server, stoppable):
    await stoppable.transact(one)

    await server.stop()
    await server.start()

    assert await stoppable.transact(one) == 1


async def test_a_server_that_says_nothing_is_away():
    said_nothing = asyncio.Event()

    async def silence(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await said_nothing.wait()
        writer.close()

    async with await asyncio.start_server(silence, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        database = Database(
            f"postgresql://a:b@127.0.0.1:{port}/c",
            application_name="tests",
            connect_timeout_s=0.2,
        )
        with pytest.raises(DatabaseUnavailable):
            async with database.begin():
                pass
        said_nothing.set()


async def test_what_took_long_to_fail_is_not_tried_again(stoppable, monkeypatch):
    monkeypatch.setattr(databases_module, "ATTEMPTS_WITHIN_S", 0)
    attempts = 0

    async def lose(_: Tx) -> None:
        nonlocal attempts
        attempts += 1
        raise ConnectionResetError

    with pytest.raises(DatabaseUnavailable):
        await stoppable.transact(lose)

    assert attempts == 1


@pytest.mark.parametrize(
    ("said", "instead"), [("postgres:", "nobody:"), ("/postgres", "/nowhere")]
)
async def test_not_being_let_in_is_nobodys_content(server, said, instead):
    url = instead.join(server.url().rsplit(said, 1))
    stranger = Database(url, application_name="tests", connect_timeout_s=5)

    with pytest.raises(DatabaseUnavailable):
        await stranger.transact(one)


async def test_waiting_too_long_for_a_connection_is_unavailable(server):
    database = Database(
        server.url(), application_name="tests", pool_size=1, connect_timeout_s=0.2
    )
    async with database.begin():
        with pytest.raises(DatabaseUnavailable):
            async with database.begin():
                pass
    await database.close()


@pytest.mark.parametrize(
    "statement",
    [
        "SET LOCAL statement_timeout = 1; SELECT pg_sleep(60)",
        "SET TRANSACTION READ ONLY; CREATE TABLE a (b int)",
        "SELECT pg_terminate_backend(pg_backend_pid())",
    ],
)
async def test_the_database_is_to_blame(stoppable, statement):
    async def work(tx: Tx) -> None:
        for part in statement.split("; "):
            await tx.execute(sa.text(part))

    with pytest.raises(DatabaseUnavailable):
        await stoppable.transact(work)


@pytest.mark.parametrize("value", ["a\x00b", "a\ud800b", 2**70])
async def test_the_content_is_to_blame(database, value):
    with pytest.raises(sa.exc.DBAPIError):
        await database.transact(add_note, value)


def test_a_file_that_is_missing_is_no_absent_database():
    assert not is_away(FileNotFoundError())


async def test_work_may_ask_to_start_over(database):
    attempts = []

    async def work(tx: Tx) -> str:
        attempts.append(tx)
        if len(attempts) == 1:
            raise StartOver("what was read is not so any more")
        return "done"

    assert await database.transact(work) == "done"


async def test_who_loses_a_deadlock_starts_over(database):
    ids = [uuid4(), uuid4()]
    async with database.begin() as tx:
        await tx.execute(sa.insert(notes), [{"id": id_, "text": ""} for id_ in ids])
    both_hold_one = asyncio.Barrier(2)
    attempts = 0

    async def lock(tx: Tx, order: list) -> None:
        nonlocal attempts
        attempts += 1
        for id_ in order:
            await tx.execute(
                sa.update(notes).where(notes.c.id == id_).values(text=notes.c.text)
            )
            if id_ == order[0] and attempts <= 2:
                await both_hold_one.wait()

    await asyncio.gather(
        database.transact(lock, ids), database.transact(lock, ids[::-1])
    )

    # Who starts over may be there before the other one has woken up, and lose again.
    assert attempts >= 3


async def test_a_commit_tells_what_it_announced(database):
    told: list[str] = []
    database.on_announced(told.extend)

    async with database.begin() as tx:
        announce(tx, ["a"])
        announce(tx, ["b"])
        assert told == []

    assert told == ["a", "b"]


async def test_what_is_undone_is_announced_to_nobody(database):
    told: list[str] = []
    database.on_announced(told.extend)

    async def fail(tx: Tx) -> None:
        announce(tx, ["undone"])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.transact(fail)
    await database.transact(one)

    assert told == []


async def test_errors_do_not_tell_what_was_stored(database):
    async def add_twice(tx: Tx) -> None:
        row = {"id": uuid4(), "text": "Ada Byron"}
        await tx.execute(sa.insert(notes), [row, row])

    with pytest.raises(sa.exc.IntegrityError) as raised:
        await database.transact(add_twice)

    assert "Ada Byron" not in str(raised.value)


async def test_tracebacks_do_not_quote_the_rows_that_are_refused(database):
    secret = uuid4().hex[:8]
    async with database.begin() as tx:
        await tx.execute(sa.text("ALTER TABLE notes ADD CHECK (length(text) > 9)"))

    async def add(tx: Tx) -> None:
        await tx.execute(sa.insert(notes), {"id": uuid4(), "text": secret})

    with pytest.raises(sa.exc.IntegrityError) as refused:
        await database.transact(add)

    assert secret not in "".join(traceback.format_exception(refused.value))


async def test_errors_do_not_quote_the_values_that_cannot_be_sent(database):
    secret = uuid4().hex[:8]

    async def add(tx: Tx) -> None:
        await tx.execute(sa.insert(notes), {"id": uuid4(), "text": f"{secret}\udc00"})

    with pytest.raises(sa.exc.DBAPIError) as refused:
        await database.transact(add)

    told = "".join(traceback.format_exception(refused.value))
    assert "invalid input for query argument" in told
    assert secret not in told


async def test_many_rows_are_inserted_by_one_statement(tx):
    rows = [{"id": uuid4(), "text": str(number)} for number in range(500)]

    await tx.execute(insert_many(notes, "id", "text"), columns_of(rows, ("id", "text")))

    assert await count_notes(tx) == 500


async def test_the_driver_takes_nothing_for_an_array_but_lists_and_tuples(database):
    ids = sa.text("SELECT CAST(:ids AS int[])")

    assert await database.transact(run, ids, {"ids": [1, 2]}) == [([1, 2],)]
    assert await database.transact(run, ids, {"ids": (1, 2)}) == [([1, 2],)]
    with pytest.raises(asyncpg.DataError, match="a sized iterable container expected"):
        await database.transact(run, ids, {"ids": {1, 2}})


async def test_arrays_are_what_the_server_says_and_the_driver_asks_for_none(other):
    asked: list[str] = []
    nulls = ", ".join(f"NULL::{array['elemtype_name']}[]" for array in ARRAYS)
    known = sa.text(
        "SELECT oid::int, typname, typelem::int FROM pg_type"
        " WHERE oid = ANY(CAST(:oids AS int[]))"
    )

    async with other.begin() as tx:
        said = await tx.execute(known, {"oids": [array["oid"] for array in ARRAYS]})
        driver = (await tx.get_raw_connection()).driver_connection
        driver.add_query_logger(lambda query: asked.append(query.query))
        await tx.exec_driver_sql(f"SELECT {nulls}")  # prepared, and not logged
    await asyncio.sleep(0)  # the driver tells by the loop

    assert {tuple(row) for row in said} == {
        (array["oid"], array["name"], array["elemtype"]) for array in ARRAYS
    }
    assert asked == ["COMMIT;"]


async def test_a_row_has_the_columns_that_were_asked_for_and_no_others(tx):
    (first,) = await run(tx, sa.text("SELECT 1 AS one, 2 AS two"), {})
    (second,) = await run(tx, sa.text("SELECT 3 AS two"), {})

    assert [(first.one, first.two, second.two) for _ in range(2)] == [(1, 2, 3)] * 2
    with pytest.raises(KeyError, match="one"):
        _ = second.one


async def test_json_is_stored_as_the_text_it_is(tx):
    table = sa.Table("papers", sa.MetaData(), sa.Column("data", sa.JSON))
    await tx.run_sync(table.create)

    await tx.execute(insert_many(table, "data"), {"data": ['{"b":1, "a":"ü"}']})

    stored = await tx.execute(sa.select(table.c.data.cast(sa.Text)))
    assert stored.scalar_one() == '{"b":1, "a":"ü"}'


async def test_an_idle_database_is_let_go(stoppable, other):
    async def connections() -> int:
        query = (
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'stoppable'"
        )
        async with other.begin() as tx:
            return int((await tx.execute(sa.text(query))).scalar_one())

    async def none() -> bool:
        return await connections() == 0

    async with stoppable.begin():
        await stoppable.let_go()
        assert await connections() == 1
    await stoppable.let_go()

    await eventually(none)


@pytest.fixture
async def distant(
    server: Postgres, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Database]:
    """A database that has been asked, and is silent to who asked."""
    async with PostgresProxy.before(server.url()) as (line, url):
        database = Database(url, application_name="distant")
        await database.transact(one)
        line.silence_all()
        yield database
        await database.close()
    assert not caplog.get_records("call")


@pytest.mark.timeout(20)
async def test_a_silent_database_is_let_go(distant):
    await distant.let_go()

    assert await distant.transact(one) == 1


async def test_who_has_no_time_leaves_a_silent_database(distant):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await distant.close()


async def test_many_rows_take_their_own_values_by_one_statement(tx):
    rows = [{"id": uuid4(), "text": f"{number}"} for number in range(3)]
    await tx.execute(insert_many(notes, "id", "text"), columns_of(rows, ("id", "text")))
    changed = [row | {"text": f"changed {row['text']}"} for row in rows[:2]]

    await tx.execute(
        update_many(notes, ("id",), ("text",)), changes_of(changed, ("id", "text"))
    )

    texts = await tx.execute(sa.select(notes.c.text).order_by(notes.c.text))
    assert list(texts.scalars()) == ["2", "changed 0", "changed 1"]


async def test_what_was_noted_follows_the_commit(database):
    noted = []

    async with database.begin() as tx:
        after_commit(tx, lambda: noted.append("done"))
        assert noted == []

    assert noted == ["done"]


async def test_what_was_noted_is_forgotten_with_the_transaction(database):
    noted = []

    async def fail(tx: Tx) -> None:
        after_commit(tx, lambda: noted.append("done"))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.transact(fail)
    await database.transact(one)

    assert noted == []
