"""A service's own role and database, made by an administrator on the first run.

The role owns its database and nothing else. It is no superuser, so what the database
refuses to change (`migrations.make_append_only`) it cannot get around in a session.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg
from pydantic import BaseModel, SecretStr
from sqlalchemy.engine import URL

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

# Roles are of the whole server, and all services may start at once.
_TURN = "hashtext('orderly databases')"
_HAS_ROLE = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)"
_HAS_DATABASE = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)"


class Administrator(BaseModel, frozen=True):
    """Who may make roles and databases, as RDS writes it into Secrets Manager."""

    username: str
    password: SecretStr

    def url(self, service: URL) -> URL:
        """Where such a one logs in, on the service's server."""
        return service.set(
            username=self.username,
            password=self.password.get_secret_value(),
            database="postgres",
        )


async def give_database(
    admin: Connection,
    name: str,
    *,
    owner: str,
    password: str | None,
    by_iam: bool = False,
) -> None:
    """See that the database and its owner are there; the same when repeated."""
    await admin.execute(f"SELECT pg_advisory_lock({_TURN})")
    try:
        await _make_role(admin, owner, password)
        async with _may_become(admin, owner):
            await _make_database(admin, name, owner)
        # Last: until then the administrator could become one who logs in by IAM, and
        # RDS would ask such a one for a token too.
        if by_iam and await admin.fetchval(_HAS_ROLE, "rds_iam"):
            await _run(admin, "GRANT rds_iam TO %I", owner)
    finally:
        await admin.execute(f"SELECT pg_advisory_unlock({_TURN})")


async def _make_role(admin: Connection, name: str, password: str | None) -> None:
    if not await admin.fetchval(_HAS_ROLE, name):
        await _run(admin, "CREATE ROLE %I LOGIN", name)
    if password is not None:
        await _run(admin, "ALTER ROLE %I PASSWORD %L", name, password)


async def _make_database(admin: Connection, name: str, owner: str) -> None:
    if not await admin.fetchval(_HAS_DATABASE, name):
        # The C locale sorts as Python does, and no upgrade of a C library reorders it.
        create = "CREATE DATABASE %I OWNER %I TEMPLATE template0 LOCALE 'C'"
        await _run(admin, f"{create} ENCODING 'UTF8'", name, owner)
    await _run(admin, "SET ROLE %I", owner)
    await _run(admin, "REVOKE ALL ON DATABASE %I FROM PUBLIC", name)
    await admin.execute("RESET ROLE")


@asynccontextmanager
async def _may_become(admin: Connection, role: str) -> AsyncIterator[None]:
    """Without being a superuser, one makes databases only for who one may become."""
    await _run(admin, "GRANT %I TO CURRENT_USER WITH INHERIT FALSE, SET TRUE", role)
    try:
        yield
    finally:
        await admin.execute("RESET ROLE")
        await _run(admin, "REVOKE %I FROM CURRENT_USER", role)


async def _run(admin: Connection, statement: str, *names: str) -> None:
    """Utility statements take no parameters: the server quotes them."""
    quoted = "SELECT format($1, VARIADIC $2::text[])"
    await admin.execute(await admin.fetchval(quoted, statement, list(names)))
