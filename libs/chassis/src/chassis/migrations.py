"""Schema changes: Alembic, one folder per service.

Several processes may start at once, and before their database does. Alembic, a tenth of
what a service imports, waits for who needs it: a service that starts does not.
"""

# ruff: noqa: PLC0415

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg
import sqlalchemy as sa
import structlog
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from chassis import aside, idempotency, inbox, outbox, partitions, replays
from chassis.backoff import Backoff
from chassis.database import Database, Tx, is_away, sqlstate
from chassis.logins import Login
from chassis.ownership import Administrator, give_database

if TYPE_CHECKING:
    from alembic.config import Config

log = structlog.get_logger(__name__)

T = TypeVar("T")

# Whoever waits for a lock makes others wait.
_LOCKS_IN_TIME = "SET lock_timeout = '5s'"
_OUR_TURN = "SELECT pg_try_advisory_lock(hashtext('orderly migrations'))"
LOOK_AGAIN_S = 0.2
PARTITIONED = (outbox.PARTITIONS, inbox.PARTITIONS)
PATIENCE_S = 90  # a paused database takes up to a minute to wake
# 28: the server does not know us, or not like this; 3D: there is no such database.
_NOT_LET_IN = ("28", "3D")


def folder(service: str) -> Path:
    """Beside the package where it is installed; in a checkout, beside its `src`."""
    package = Path(str(importlib.import_module(service).__file__)).parent
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parents[1] / "migrations"


def _config(service: str, url: str = "", login: Login | None = None) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(folder(service)).replace("%", "%%"))
    config.attributes["url"] = make_url(url) if url else None
    config.attributes["login"] = login or Login()
    return config


def upgrade(
    service: str,
    url: str,
    *,
    login: Login | None = None,
    admin: Administrator | None = None,
) -> None:
    """Bring the schema to the newest revision; waits for the database to answer.

    With an administrator, role and database are made first, if they are missing.
    """
    from alembic import command

    config = _config(service, url, login)
    if admin:
        asyncio.run(_see_to_database(config, admin))
    command.upgrade(config, "head")


async def _see_to_database(config: "Config", admin: Administrator) -> None:
    """Ask the administrator only if need be: that password changes every week."""
    url, login = config.attributes["url"], config.attributes["login"]
    try:
        connection = await _open(url, login)
    except asyncpg.PostgresError as error:
        if not sqlstate(error).startswith(_NOT_LET_IN):
            raise
    else:
        await connection.close()
        return
    connection = await _open(admin.url(url), login.with_password())
    try:
        await give_database(
            connection,
            url.database,
            owner=url.username,
            password=url.password,
            by_iam=login.by_iam,
        )
    finally:
        await connection.close()
    log.info("Role and database are there", database=url.database)


async def _open(url: URL, login: Login) -> "asyncpg.Connection[asyncpg.Record]":
    dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return await _patiently(lambda: asyncpg.connect(dsn, **login.arguments(url)))


def newest(service: str) -> str:
    """As the files' names count them: this is asked without Alembic."""
    files = (folder(service) / "versions").glob("[0-9]*_*.py")
    return max(file.name.partition("_")[0] for file in files)


async def check(database: Database, service: str) -> None:
    """Raise unless the schema is at the newest revision this code knows, or beyond."""
    there = await database.transact(_revision)
    if there < newest(service):
        raise NotMigrated(
            f"the schema is at {there}: run `python -m {service} migrate`"
        )


async def _revision(tx: Tx) -> str:
    found = await tx.execute(sa.text("SELECT version_num FROM alembic_version"))
    return str(found.scalar_one())


class NotMigrated(Exception):
    """The schema is older than the code."""


def run(metadata: sa.MetaData) -> None:
    """What each service's `migrations/env.py` calls."""
    from alembic import context

    at = context.config.attributes
    asyncio.run(_run(at["url"], at["login"], metadata))


async def _run(url: URL, login: Login, metadata: sa.MetaData) -> None:
    engine = create_async_engine(
        url.set(drivername="postgresql+asyncpg"),
        poolclass=NullPool,
        connect_args=login.arguments(url),
    )
    connection = await _patiently(engine.connect)
    try:
        await _wait_for_our_turn(connection)
        await connection.execute(sa.text(_LOCKS_IN_TIME))
        await connection.commit()
        await connection.run_sync(_migrate, metadata)
        async with connection.begin():
            await make_partitions(connection)
    finally:
        await connection.close()
        await engine.dispose()


async def _patiently(connect: Callable[[], Awaitable[T]]) -> T:
    backoff = Backoff(first_s=0.2, most_s=3)
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await connect()
            except Exception as error:
                if not (is_away(error) or isinstance(error, OSError)):
                    raise
                log.info("Waiting for the database", error=repr(error))
                await backoff.wait()


async def _wait_for_our_turn(connection: AsyncConnection) -> None:
    # Asked again and again: whoever waits in a statement has a snapshot, and an index
    # that another one builds concurrently would wait for that.
    while not (await connection.execute(sa.text(_OUR_TURN))).scalar_one():
        await connection.commit()
        await asyncio.sleep(LOOK_AGAIN_S)


def _migrate(connection: Connection, metadata: sa.MetaData) -> None:
    from alembic import context

    context.configure(
        connection=connection, target_metadata=metadata, transaction_per_migration=True
    )
    there = context.get_context().get_current_revision()
    connection.commit()
    if there and there > str(context.get_head_revision()):
        # As after going back to the version before, which gets on with it.
        log.info("The schema is newer than the code, and stays as it is", at=there)
        return
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()


@contextmanager
def beside_writes(op: Any) -> Iterator[None]:  # `alembic.op` is a module
    """No transaction, for what waits for others without making anybody wait."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        yield
        op.execute(_LOCKS_IN_TIME)


async def make_partitions(tx: Tx) -> None:
    for partitioned in PARTITIONED:
        await partitions.make_coming(tx, partitioned)


def add_chassis_tables(metadata: sa.MetaData) -> None:
    """Put the chassis's tables beside a service's own, to compare with the database."""
    ours = (
        outbox.metadata,
        inbox.metadata,
        aside.metadata,
        idempotency.metadata,
        replays.metadata,
    )
    for tables in ours:
        for table in tables.tables.values():
            if table.key not in metadata:
                table.to_metadata(metadata)


_REFUSE_CHANGE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on %: it is corrected by new rows only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$
"""


def create_chassis_tables_1(op: Any) -> None:  # `alembic.op` is a module
    """The first step of every service's first migration. A change becomes `…_2`."""
    op.execute("CREATE SEQUENCE outbox_added")
    op.create_table(
        "outbox",
        sa.Column(
            "time",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
        ),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("sequence", sa.BigInteger),
        sa.Column("traceparent", sa.Text),
        sa.Column("data", sa.JSON, nullable=False),
        sa.Column(
            "added",
            sa.BigInteger,
            nullable=False,
            server_default=sa.text("nextval('outbox_added')"),
        ),
        sa.Column("position", sa.BigInteger),
        sa.PrimaryKeyConstraint("time", "id"),
        postgresql_partition_by="RANGE (time)",
    )
    op.create_index(
        "outbox_unnumbered",
        "outbox",
        ["added"],
        postgresql_where=sa.text("position IS NULL"),
    )
    op.create_index("outbox_position", "outbox", ["position"])
    op.create_index("outbox_subject", "outbox", ["subject", "sequence"])
    op.create_table(
        "relay_cursor",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("numbered", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("published", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("holder", sa.Uuid),
        sa.Column(
            "leased_until",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default="-infinity",
        ),
    )
    op.execute("INSERT INTO relay_cursor (name) VALUES ('sns')")
    op.create_table(
        "inbox",
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.PrimaryKeyConstraint("day", "event_id"),
        postgresql_partition_by="RANGE (day)",
    )
    op.create_table(
        "idempotency_answers",
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.SmallInteger),
        sa.Column("location", sa.Text),
        sa.Column("body", sa.Text),
        sa.Column(
            "answered_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
        ),
        sa.PrimaryKeyConstraint("client", "operation", "key"),
    )
    op.execute(_REFUSE_CHANGE)


def create_chassis_tables_2(op: Any) -> None:
    """Where the relay notes what SNS will never take."""
    op.create_table(
        "relay_refusals",
        sa.Column("event_id", sa.Uuid, primary_key=True),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column(
            "refused_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
        ),
    )


def create_chassis_tables_3(op: Any) -> None:
    """What operators ask to be announced again."""
    op.create_table(
        "replays",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("since", sa.DateTime(timezone=True)),
        sa.Column("until", sa.DateTime(timezone=True)),
        sa.Column("types", sa.ARRAY(sa.Text)),
        sa.Column("subject", sa.Text),
        sa.Column("requested_by", sa.Text, nullable=False),
        sa.Column(
            "requested_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
        ),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("reached", sa.BigInteger),
        sa.Column("published", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("completed_at", sa.DateTime(timezone=True)),
        sa.Column("holder", sa.Uuid),
        sa.Column(
            "leased_until",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default="-infinity",
        ),
    )
    op.create_index(
        "replays_open",
        "replays",
        ["requested_at"],
        postgresql_where=sa.text("completed_at IS NULL"),
    )


def create_chassis_tables_4(op: Any) -> None:
    """Which events wait among the dead letters, until they are handled after all."""
    op.create_table(
        "asides",
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("queue", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("event_id", "queue"),
    )


def make_append_only(op: Any, table: str, *, but_for: str = "") -> None:
    """Have the database refuse to change what is there, whoever asks, its owner too."""
    refused = [c for c in ("UPDATE", "DELETE", "TRUNCATE") if c != but_for]
    op.execute(
        f"CREATE TRIGGER append_only BEFORE {' OR '.join(refused)} ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
