"""Accounting's own surroundings."""

from collections.abc import AsyncIterator

import httpx
import pytest

from accounting.main import SERVICE
from chassis.database import Database
from chassis.queues import Aws
from chassis.testing import Databases, TokenIssuer, serving


@pytest.fixture
def service() -> str:
    return "accounting"


@pytest.fixture
async def client(
    database: Database, aws: Aws, issuer: TokenIssuer
) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(SERVICE, database, aws, [issuer.trusted]) as client:
        client.headers.update(issuer.headers("accounting.read"))
        yield client


@pytest.fixture(scope="session")
async def empty_books(databases: Databases) -> AsyncIterator[Database]:
    url = await databases.make("accounting")
    database = Database(url, application_name="tests")
    yield database
    await database.close()


@pytest.fixture
async def passer_by(
    empty_books: Database, aws: Aws, issuer: TokenIssuer
) -> AsyncIterator[httpx.AsyncClient]:
    """A client for questions that need nothing in the books."""
    async with serving(SERVICE, empty_books, aws, [issuer.trusted]) as client:
        client.headers.update(issuer.headers("accounting.read"))
        yield client
