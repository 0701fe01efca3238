"""What every service tests with: databases, queues and callers that are the real thing.

A conftest says where PostgreSQL and the queues are, by the fixtures `postgres_url` and
`aws_environment`, and names its service by the fixture `service`.
"""

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts
from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet
from sqlalchemy import event
from sqlalchemy.engine import make_url

from chassis import migrations, queues
from chassis.auth import authenticate
from chassis.database import Database, Tx
from chassis.lifecycle import Runtime, Service
from chassis.pool import Pool
from chassis.queues import Aws
from chassis.settings import Issuer

AUDIENCE = "orderly"
PASSWORD = "only-for-tests"  # noqa: S105


async def eventually(
    check: Callable[[], Awaitable[bool]], *, within_s: float = 30, every_s: float = 0.05
) -> None:
    """Wait until the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + within_s
    while not await check():
        assert time.monotonic() < deadline, f"not within {within_s} s"  # noqa: S101
        await asyncio.sleep(every_s)


def routes_without_scope(app: FastAPI) -> list[str]:
    """The routes that say nothing about who may use them: there should be none.

    What proves its callers in another way is for the test to name.
    """
    return [
        f"{method} {route.path}"
        for route in iter_route_contexts(app.routes)
        if isinstance(route.original_route, APIRoute)
        and not _states_scope(route.dependant)
        for method in sorted(route.methods or ())
    ]


def _states_scope(dependant: Dependant) -> bool:
    if dependant.call is authenticate and dependant.own_oauth_scopes:
        return True
    return any(map(_states_scope, dependant.dependencies))


# Beside the tables: what the migrations put into them, to be put back after a test.
_REMEMBER = """
    CREATE SCHEMA as_migrated;
    DO $$ DECLARE name text; filled boolean; BEGIN
        FOR name IN SELECT relname FROM pg_class
            WHERE relnamespace = 'public'::regnamespace
            AND relkind IN ('r', 'p') AND NOT relispartition LOOP
            EXECUTE format('SELECT EXISTS (SELECT FROM %I)', name) INTO filled;
            IF filled THEN
                EXECUTE format('CREATE TABLE as_migrated.%I AS TABLE %I', name, name);
            END IF;
        END LOOP;
    END $$
"""
# The connections that `open` keeps stay, unless a test has left something undone there.
# A replica's session fires no triggers: also what is append-only can be emptied.
_EMPTY = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND (application_name, state) IS DISTINCT FROM ('a test', 'idle');
    SET session_replication_role = replica;
    DO $$ DECLARE name text; seeded boolean; BEGIN
        FOR name IN SELECT relname FROM pg_class
            WHERE relnamespace = 'public'::regnamespace
            AND relkind IN ('r', 'p') AND NOT relispartition LOOP
            EXECUTE format('DELETE FROM %I', name);
            IF to_regclass(format('as_migrated.%I', name)) IS NOT NULL THEN
                EXECUTE format('INSERT INTO %1$I OVERRIDING SYSTEM VALUE'
                    ' TABLE as_migrated.%1$I', name);
            END IF;
        END LOOP;
        FOR name IN SELECT sequencename FROM pg_sequences
            WHERE schemaname = 'public' AND last_value IS NOT NULL LOOP
            EXECUTE format('ALTER SEQUENCE %I RESTART', name);
        END LOOP;
    END $$
"""
_SHAPE = """
    SELECT concat(
        (SELECT array_agg((relname, relkind, relacl) ORDER BY oid) FROM pg_class
         WHERE relnamespace = 'public'::regnamespace),
        (SELECT array_agg((tgname, tgenabled) ORDER BY oid) FROM pg_trigger),
        (SELECT array_agg((conname, convalidated) ORDER BY oid) FROM pg_constraint
         WHERE connamespace = 'public'::regnamespace),
        (SELECT count(*) FROM pg_attribute)
    )
"""


class Databases:
    """Migrated databases, one per test.

    They are copied from one that was migrated once, and used again: emptying one is
    many times cheaper than copying. One whose shape a test has changed is thrown away.
    Connections are used again too: to who comes anew, PostgreSQL reads half its
    catalogue before it does a thing, and SQLAlchemy compiles every statement.
    """

    def __init__(self, admin_url: str) -> None:
        self._admin = make_url(admin_url)
        self._templates: dict[str, str] = {}
        self._shapes: dict[str, str] = {}
        self._free: defaultdict[str, list[str]] = defaultdict(list)
        self._cleaners: dict[str, asyncpg.Connection[asyncpg.Record]] = {}
        self._pools: dict[str, Pool] = {}

    async def make(self, service: str) -> str:
        """An empty database that belongs to the service's own role."""
        if self._free[service]:
            return self._free[service].pop()
        if service not in self._templates:
            self._templates[service] = await self._template(service)
        return await self._create(service, template=self._templates[service])

    def open(self, url: str) -> Database:
        """A new one, on the connections that others had before; not to be closed."""
        database = Database(url, application_name="a test", connect_timeout_s=10)
        pool = self._pools.setdefault(url, database._pool)  # noqa: SLF001
        database._pool = pool  # noqa: SLF001
        return database

    async def give_back(self, service: str, url: str) -> None:
        cleaner = await self._cleaner(url)
        if await cleaner.fetchval(_SHAPE) == self._shapes[service]:
            await cleaner.execute(_EMPTY)
            self._free[service].append(url)
        else:
            await self.drop(url)

    async def close(self) -> None:
        for cleaner in self._cleaners.values():
            await cleaner.close()
        for pool in self._pools.values():
            await pool.close_idle()

    async def _cleaner(self, url: str) -> "asyncpg.Connection[asyncpg.Record]":
        cleaner = self._cleaners.get(url)
        if cleaner is None or cleaner.is_closed():
            cleaner = self._cleaners[url] = await self._connect(make_url(url).database)
        return cleaner

    async def drop(self, url: str) -> None:
        if cleaner := self._cleaners.pop(url, None):
            await cleaner.close()
        if pool := self._pools.pop(url, None):
            await pool.close_idle()
        await self._run(f'DROP DATABASE "{make_url(url).database}" WITH (FORCE)')

    async def _template(self, service: str) -> str:
        url = await self._create(service, template="template0")
        await asyncio.to_thread(migrations.upgrade, service, url)
        name = str(make_url(url).database)
        async with self._connected(name) as connection:
            await connection.execute(_REMEMBER)
            self._shapes[service] = await connection.fetchval(_SHAPE)
        return name

    async def _create(self, service: str, *, template: str) -> str:
        name = f"{service}_{uuid4().hex[:12]}"
        await self._run(
            f"DO $$ BEGIN CREATE ROLE {service} LOGIN PASSWORD '{PASSWORD}';"
            " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$",
            # Where nothing is synced, copying files takes half as long as logging them.
            f'CREATE DATABASE "{name}" OWNER {service}'
            f' TEMPLATE "{template}" STRATEGY FILE_COPY',
        )
        url = self._admin.set(database=name, username=service, password=PASSWORD)
        return url.render_as_string(hide_password=False)

    async def _run(self, *statements: str) -> None:
        async with self._connected(self._admin.database) as connection:
            for statement in statements:
                await connection.execute(statement)

    @asynccontextmanager
    async def _connected(
        self, database: str | None
    ) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        connection = await self._connect(database)
        try:
            yield connection
        finally:
            await connection.close()

    async def _connect(
        self, database: str | None
    ) -> "asyncpg.Connection[asyncpg.Record]":
        url = self._admin.set(database=database)
        return await asyncpg.connect(url.render_as_string(hide_password=False))


class TokenIssuer:
    """Signs tokens and serves its keys over HTTP, as a user pool does."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": uuid4().hex})
        self._keys: list[Key] = [self.key]
        app = web.Application()
        app.router.add_get("/jwks.json", self._jwks)
        self.server = TestServer(app)

    @property
    def trusted(self) -> Issuer:
        url = str(self.server.make_url("/"))
        return Issuer(issuer=url, jwks_url=f"{url}jwks.json", audience=AUDIENCE)

    def token(self, *scopes: str, customer: str | None = None, **claims: Any) -> str:
        """Sign what a storefront's token says; `claims` replace or, if None, remove."""
        now = int(time.time())
        content = {
            "iss": self.trusted.issuer,
            "aud": AUDIENCE,
            "client_id": "storefront",
            "scope": " ".join(scopes),
            "customer_id": customer,
            "iat": now,
            "exp": now + 600,
        } | claims
        present = {name: value for name, value in content.items() if value is not None}
        return jwt.encode({"alg": "ES256", "kid": self.key.kid}, present, self.key)

    def headers(self, *scopes: str, **claims: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(*scopes, **claims)}"}

    def rotate(self) -> None:
        """Sign with a new key from now on; the old one stays published."""
        self.key = ECKey.generate_key("P-256", {"kid": uuid4().hex})
        self._keys.append(self.key)

    def withdraw(self) -> None:
        """Sign with a new key from now on, and publish no other any more."""
        self.rotate()
        del self._keys[:-1]

    async def _jwks(self, _: web.Request) -> web.Response:
        return web.json_response(KeySet(self._keys).as_dict(private=False))


@asynccontextmanager
async def serving(
    service: Service[Any],
    database: Database,
    aws: Aws,
    issuers: Sequence[Issuer],
    *,
    replica: Database | None = None,
    **settings: Any,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service's app, with the parts behind it that answer requests."""
    runtime = Runtime(
        settings=service.settings(
            database_url="postgresql://not-used", issuers=tuple(issuers), **settings
        ),
        database=database,
        aws=aws,
        replica=replica,
    )
    parts = service.assemble(runtime)
    writing = [asyncio.create_task(part.run()) for part in parts.group_commits]
    transport = httpx.ASGITransport(parts.app, raise_app_exceptions=False)
    try:
        async with httpx.AsyncClient(
            transport=transport, base_url="http://orderly.test"
        ) as client:
            yield client
    finally:
        for part in parts.group_commits:
            part.close()
        await asyncio.gather(*writing)


@pytest.fixture(scope="session")
async def databases(postgres_url: str) -> AsyncIterator[Databases]:
    databases = Databases(postgres_url)
    yield databases
    await databases.close()


@pytest.fixture(scope="session")
async def shared_databases() -> AsyncIterator[dict[str, Database]]:
    """One database per service for tests that leave nothing behind."""
    shared: dict[str, Database] = {}
    yield shared
    for database in shared.values():
        await database.close()


@pytest.fixture
async def database_url(databases: Databases, service: str) -> AsyncIterator[str]:
    """A migrated database of the test's own."""
    url = await databases.make(service)
    yield url
    await databases.give_back(service, url)


@pytest.fixture
def database(databases: Databases, database_url: str) -> Database:
    return databases.open(database_url)


@pytest.fixture
async def tx(
    databases: Databases, shared_databases: dict[str, Database], service: str
) -> AsyncIterator[Tx]:
    """A transaction that leaves no trace."""
    if service not in shared_databases:
        url = await databases.make(service)
        shared_databases[service] = Database(url, application_name="tests")
    async with shared_databases[service].begin() as tx:
        yield tx
        await tx.rollback()


# To begin, and to know the types of columns when it meets them first.
_DRIVERS_OWN = re.compile(r"^(BEGIN|SAVEPOINT)|typeinfo_tree|'jit'")


@asynccontextmanager
async def statements_of(tx: Tx) -> AsyncIterator[list[str]]:
    """What the transaction asks the database meanwhile, in whichever way."""
    asked: list[str] = []

    def by_sqlalchemy(*seen: Any) -> None:
        asked.append(seen[2])

    def by_the_driver(seen: Any) -> None:
        if not _DRIVERS_OWN.search(seen.query):
            asked.append(seen.query)

    driver: Any = (await tx.get_raw_connection()).driver_connection
    event.listen(tx.sync_connection, "before_cursor_execute", by_sqlalchemy)
    with driver.query_logger(by_the_driver):
        yield asked
        await asyncio.sleep(0)  # it is told a turn later
    event.remove(tx.sync_connection, "before_cursor_execute", by_sqlalchemy)


@pytest.fixture(scope="session")
async def aws(
    aws_environment: Mapping[str, str],
) -> AsyncIterator[Aws]:
    """SNS and SQS; tests that share them use topics and queues of their own names."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in aws_environment.items():
            patch.setenv(name, value)
        async with queues.connect(
            region=aws_environment["AWS_REGION"], account_id="000000000000"
        ) as aws:
            yield aws


@pytest.fixture(scope="session")
async def issuer() -> AsyncIterator[TokenIssuer]:
    issuer = TokenIssuer()
    async with issuer.server:
        yield issuer
