"""The database: connections, the transaction at the edge, and what may be tried again.

Only this module commits. Work receives `tx`; who has no `tx` has no database.
"""

import asyncio
import random
import re
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from functools import cache
from itertools import count
from operator import attrgetter, itemgetter
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar

import asyncpg
import structlog
from asyncpg.protocol import protocol
from sqlalchemy import (
    JSON,
    ColumnElement,
    Executable,
    Subquery,
    Table,
    Text,
    Update,
    bindparam,
    cast,
    event,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert
from sqlalchemy.dialects.postgresql import asyncpg as dialects
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import DBAPIError, ResourceClosedError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.types import TypeEngine

from chassis.errors import Unavailable
from chassis.failpoints import reach
from chassis.logins import Login
from chassis.pool import Opener, Pool, adapted_of

log = structlog.get_logger(__name__)

Tx: TypeAlias = AsyncConnection
P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

# The driver asks of each value of an array whether that is an array itself, by an
# abstract base class, which takes longer than to write it. Ours are lists, or tuples.
protocol.IterableABC = (list, tuple)

# PostgreSQL's own arrays, the same everywhere: by its number the type of each, and that
# of what is in it. The driver would ask for those it meets, on each connection anew,
# by a query that costs as much as to place twenty orders.
ARRAYS = [
    dict.fromkeys(("basetype", "range_subtype", "attrtypoids", "attrnames"))
    | {"oid": array, "ns": "pg_catalog", "name": f"_{name}", "kind": b"b"}
    | {"elemtype": element, "elemtype_name": name, "elemdelim": ","}
    for name, array, element in (
        ("bool", 1000, 16),
        ("bytea", 1001, 17),
        ("int2", 1005, 21),
        ("int4", 1007, 23),
        ("int8", 1016, 20),
        ("date", 1182, 1082),
        ("timestamptz", 1185, 1184),
        ("uuid", 2951, 2950),
    )
]

# SQLAlchemy's dialects have no types.
_DIALECT = dialects.dialect()  # type: ignore[no-untyped-call]

NEW = "new_"  # the columns that `update_many` takes begin with it
ATTEMPTS = 5
ATTEMPTS_WITHIN_S = 10.0  # a failure that took long itself is not tried again
_VALUE = re.compile(r"(?<=query argument) \$\d+: .*", re.DOTALL)
_STATEMENT = re.compile(
    r"\n\[SQL: .*?(?:\n\(Background on this error at: \S+\)|\Z)", re.DOTALL
)
_NO_ANSWER = "The database does not answer."
_OVER = "This transaction was undone: begin another one."
# In a transaction's connection's info: what it announces, and what follows its commit.
_SUBJECTS = "orderly.subjects"
_NOTES = "orderly.notes"

# Whoever was chosen to lose may simply start over.
_CANCELLED = "57014"  # by statement_timeout
_LOST_A_RACE = frozenset({"40001", "40P01", "55P03"})
# 08 connection, 53 resources, 57 operator and statement time-out, 58 system;
# 25006: the writer we knew is read-only now, as after a failover.
_AWAY = ("08", "53", "57", "58", "25006")


class DatabaseUnavailable(Unavailable):
    """The database does not answer, or lost the connection in the middle."""

    code = "database_unavailable"


class DatabaseTooSlow(DatabaseUnavailable):
    """A statement took too long: the database suffers, or it was asked too much."""


_LOST = (
    DatabaseUnavailable,
    ConnectionError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # of what was broken off, and not noticed
)


class StartOver(Exception):
    """What was read before it could be locked is not so any more."""

    sqlstate = "40001"


class Database:
    def __init__(
        self,
        url: str,
        *,
        application_name: str,
        login: Login | None = None,
        pool_size: int = 8,
        connect_timeout_s: float = 45,
    ) -> None:
        where = make_url(url).set(drivername="postgresql+asyncpg")
        engine = create_async_engine(
            where,
            poolclass=Opener,
            hide_parameters=True,  # errors are logged; customers' data is not
            connect_args={
                **(login or Login()).arguments(where),
                "timeout": connect_timeout_s,
                "command_timeout": 35,  # by then a server that lives has given up
                "server_settings": {
                    "application_name": application_name,
                    "statement_timeout": "30s",
                    "lock_timeout": "10s",
                    # Who froze holds rows that others wait for.
                    "idle_in_transaction_session_timeout": "20s",
                    "jit": "off",
                    # Nothing here has arms to move: looking up by a key is cheap, also
                    # as long as tables are small, or look so to the planner.
                    "random_page_cost": "1.1",
                },
            },
        )
        event.listen(engine.sync_engine, "handle_error", _drop_rows)
        event.listen(engine.sync_engine, "connect", _tell_of_arrays)
        self._pool = Pool(engine, size=pool_size, timeout_s=connect_timeout_s)
        self._listeners: list[Callable[[Sequence[str]], None]] = []
        self._last_used = time.monotonic()
        self._most_in_use = 0

    def note_use(self) -> None:
        """Business was done: timers go on for a while."""
        self._last_used = time.monotonic()

    def idle_s(self) -> float:
        """Since business was last done here; the timers' own queries do not count."""
        return time.monotonic() - self._last_used

    def on_announced(self, listener: Callable[[Sequence[str]], None]) -> None:
        """Tell `listener` the subjects of the events of each commit of this process."""
        self._listeners.append(listener)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Tx]:
        """One transaction: committed when the block ends, undone when it raises."""
        tx = await self._connected()
        try:
            info = tx.info
            info.pop(_SUBJECTS, None)
            info.pop(_NOTES, None)
            async with _transaction(tx):
                yield tx
            subjects = info.pop(_SUBJECTS, None)
            notes = info.pop(_NOTES, ())
        finally:
            await self._pool.give_back(tx)
        for note in notes:
            note()
        if subjects:
            self.note_use()
            for listener in self._listeners:
                listener(subjects)

    async def _connected(self) -> Tx:
        # Whatever the reason, it is not in what was asked: a refused password too.
        try:
            tx = await self._pool.take()
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise DatabaseUnavailable(_NO_ANSWER) from error
        self._most_in_use = max(self._most_in_use, self.in_use())
        return tx

    async def transact(
        self,
        work: Callable[Concatenate[Tx, P], Awaitable[R]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Run `work` in one transaction, again from the start if it lost a race.

        A lost connection may hide a commit that happened, so all work must be safe
        to run twice: it has a key that says so (inbox, idempotency, the caller's id).
        """
        began = time.monotonic()
        for attempt in count(1):
            try:
                async with self.begin() as tx:
                    result = await work(tx, *args, **kwargs)
                    reach("worked", work, args)
            except Exception as error:
                if not (is_away(error) or _may_start_over(error)):
                    raise
                if sqlstate(error) == _CANCELLED:
                    raise DatabaseTooSlow(_NO_ANSWER) from error
                if is_away(error):
                    self._pool.give_up_idle()
                took_s = time.monotonic() - began
                if attempt == ATTEMPTS or took_s > ATTEMPTS_WITHIN_S:
                    if isinstance(error, DatabaseUnavailable):
                        raise
                    raise DatabaseUnavailable(_NO_ANSWER) from error
                log.debug("Transaction starts over", attempt=attempt, error=repr(error))
            else:
                reach("committed", work, args)
                return result
            await asyncio.sleep(random.uniform(0, 0.02 * 2**attempt))
        raise AssertionError  # the loop returns or raises

    def in_use(self) -> int:
        """Connections that are out of the pool right now."""
        return self._pool.in_use

    def most_in_use(self) -> int:
        """Connections that were out of the pool at once, since this was last asked."""
        most, self._most_in_use = self._most_in_use, self.in_use()
        return most

    async def let_go(self) -> None:
        """Close idle connections: a database that nobody uses may pause."""
        if not self.in_use():
            await self.close()

    async def close(self) -> None:
        await self._pool.close_idle()


def _tell_of_arrays(connection: Any, *_: object) -> None:
    connection.driver_connection.get_settings().register_data_types(ARRAYS)


def _drop_rows(context: ExceptionContext) -> None:
    """Keep rows out of the logs: PostgreSQL's detail quotes those it refuses.

    So does what the driver says of values that it cannot send.
    """
    error = context.original_exception.__cause__
    if isinstance(error, asyncpg.PostgresError):
        error.detail = None
    for one in (error, context.original_exception, context.sqlalchemy_exception):
        if one and one.args:
            one.args = (_VALUE.sub("", str(one.args[0])), *one.args[1:])


def without_statements(told: str) -> str:
    """What an error or its traceback says, but for SQL, which would fill a letter."""
    return _STATEMENT.sub("", told)


def announce(tx: Tx, subjects: Sequence[str]) -> None:
    """Have the subjects told to the process's listeners once `tx` is committed."""
    tx.info.setdefault(_SUBJECTS, []).extend(subjects)


def after_commit(tx: Tx, note: Callable[[], None]) -> None:
    """Have `note` called once `tx` is committed: a metric counts what is, once."""
    tx.info.setdefault(_NOTES, []).append(note)


def sqlstate(error: BaseException) -> str:
    """PostgreSQL's code for what went wrong, or the empty string."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return getattr(cause, "sqlstate", None) or ""


def _may_start_over(error: BaseException) -> bool:
    """Whether another one was first, or a migration changed what was asked for."""
    by_driver = isinstance(error, DBAPIError) and error.orig
    cause = by_driver.__cause__ if by_driver else error
    changed = isinstance(cause, asyncpg.InvalidCachedStatementError)
    return changed or sqlstate(error) in _LOST_A_RACE


def is_away(error: BaseException) -> bool:
    """Whether this is about reaching the database, rather than about what was asked."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    if isinstance(error, _LOST):
        return not isinstance(error, ValueError)  # a parameter that is none
    return sqlstate(error).startswith(_AWAY)


def rows_from_arrays(*columns: tuple[str, TypeEngine[Any]]) -> Subquery:
    """Arrays as a table: one parameter per column, however many rows.

    In a SELECT list PostgreSQL takes a row's values as it comes to it; `FROM unnest`
    would store each column of all rows first.
    """
    return select(
        *(
            func.unnest(
                bindparam(name, type_=ARRAY(_wire_type(type_))),
                type_=_wire_type(type_),
            ).label(name)
            for name, type_ in columns
        )
    ).subquery()


class Row(asyncpg.Record):  # type: ignore[misc]
    """A row as the driver, which has no types, gives it; by name."""

    def __getattr__(self, name: str) -> Any:
        value = self[name]
        # Asked for the next time, Python finds it without an error in between.
        setattr(Row, name, property(itemgetter(name)))
        return value


async def run(tx: Tx, statement: Executable, given: Mapping[str, Any]) -> list[Row]:
    """Execute a statement that is always the same, by the driver itself.

    SQLAlchemy would look it up by its structure, look at each parameter's type, and
    call the driver through a greenlet, which costs more than sending it.
    """
    sql, names, own = _compiled(statement)
    values = {**own, **given}
    asked = [values[name] for name in names]
    if not tx.in_transaction():
        raise ResourceClosedError(_OVER)
    rows: list[Row] = await _driven(tx, _fetch(tx, sql, asked))
    return rows


async def _fetch(tx: Tx, sql: str, asked: Sequence[Any]) -> Any:
    """In the transaction, which is begun late: when there is something to be done."""
    adapted = adapted_of(tx.sync_connection)
    driver: asyncpg.Connection = adapted.driver_connection
    if adapted._transaction is None:  # noqa: SLF001 - there is no other way to ask
        begun = driver.transaction()
        await begun.start()
        adapted._transaction = begun  # noqa: SLF001 - nor to tell
    return await driver.fetch(sql, *asked, record_class=Row)


@asynccontextmanager
async def _transaction(tx: Tx) -> AsyncIterator[None]:
    """SQLAlchemy's, committed by the driver: it needs no greenlet to send nothing."""
    assert tx.sync_connection is not None  # noqa: S101 - so it is while it is open
    with tx.sync_connection.begin():
        try:
            yield
            await _driven(tx, _commit(tx))
        except asyncio.CancelledError:
            await tx.invalidate()  # who is told to leave asks for nothing more
            raise
        except BaseException:
            await tx.rollback()
            raise


async def _commit(tx: Tx) -> None:
    """Not by the driver's transaction, which does not look at what is answered."""
    adapted = adapted_of(tx.sync_connection)
    begun, adapted._transaction = adapted._transaction, None  # noqa: SLF001 - as above
    if begun is not None:
        driver: asyncpg.Connection = adapted.driver_connection
        driver._top_xact = None  # noqa: SLF001 - nor to tell the driver
        # After a statement that failed, PostgreSQL undoes all, and calls it no error.
        if await driver.execute("COMMIT;") == "ROLLBACK":
            raise ResourceClosedError(_OVER)


async def _driven(tx: Tx, asked: Awaitable[R]) -> R:
    """What was asked of the driver, whose errors SQLAlchemy does not see."""
    try:
        return await asked
    except asyncpg.PostgresError as error:
        error.detail = None  # which quotes rows
        raise
    except ValueError:  # a parameter that is none: nothing was sent
        raise
    except BaseException:
        # Broken off in the middle, nobody can go on with it; SQLAlchemy was not told.
        await tx.invalidate()
        raise


@cache
def _compiled(
    statement: Executable,
) -> tuple[str, Sequence[str], Mapping[str, Any]]:
    # Whatever can be executed can be compiled: SQLAlchemy has no type that says both.
    compiled = statement.compile(dialect=_DIALECT)  # type: ignore[attr-defined]
    return str(compiled), compiled.positiontup or (), compiled.params


def _wire_type(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    # JSON goes as the text it was serialised to, once; the insert casts it.
    return Text() if isinstance(type_, JSON) else type_


def _stored(value: ColumnElement[Any], type_: TypeEngine[Any]) -> ColumnElement[Any]:
    return cast(value, type_) if isinstance(type_, JSON) else value


@cache
def insert_many(
    table: Table, *names: str, prefix: str = "", **same: str | int
) -> Insert:
    """INSERT … SELECT unnest: a round trip and a plan for any number of rows.

    Several are one statement as CTEs, where a `prefix` tells their parameters apart.

    What is the `same` in all rows is part of the text: to send it for each would cost
    as much as what differs.
    """
    rows = rows_from_arrays(*((prefix + name, table.c[name].type) for name in names))
    values = [_stored(rows.c[prefix + name], table.c[name].type) for name in names]
    constants: list[ColumnElement[Any]] = [
        literal_column(f"'{value}'") for value in same.values()
    ]
    return insert(table).from_select([*names, *same], select(*values, *constants))


def columns_of(
    rows: Sequence[Mapping[str, Any]], names: Sequence[str], prefix: str = ""
) -> dict[str, list[Any]]:
    """Rows turned into the column arrays that `insert_many` takes."""
    return {prefix + name: [row[name] for row in rows] for name in names}


def places_of(
    names: Iterable[str], elsewhere: Mapping[str, str]
) -> dict[str, Callable[[Any], Any]]:
    """What `columns_from` takes, of columns that are called as what they are of, or
    are found elsewhere in it.
    """
    return {name: attrgetter(elsewhere.get(name, name)) for name in names}


def columns_from(
    things: Sequence[T], places: Mapping[str, Callable[[T], Any]], prefix: str = ""
) -> dict[str, list[Any]]:
    """The same of things as they are, by where each column is found in one of them."""
    return {prefix + name: [*map(place, things)] for name, place in places.items()}


def update_many(table: Table, by: Sequence[str], names: Sequence[str]) -> Update:
    """UPDATE … FROM unnest: rows are found by some columns, others take new values."""
    new = rows_from_arrays(
        *((_new(name), table.c[name].type) for name in (*by, *names))
    )
    return (
        update(table)
        .where(*(table.c[name] == new.c[_new(name)] for name in by))
        .values({n: _stored(new.c[_new(n)], table.c[n].type) for n in names})
    )


def changes_of(
    rows: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> dict[str, list[Any]]:
    """Rows turned into the column arrays that `update_many` takes."""
    return {_new(name): [row[name] for row in rows] for name in names}


def _new(name: str) -> str:
    # An UPDATE would set its columns to parameters of the same name, as scalars.
    return NEW + name
