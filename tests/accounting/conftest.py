"""Accounting's own surroundings."""

from collections.abc import AsyncIterator

import httpx
import pytest

from accounting.main import SERVICE
from chassis.database import Database
from chassis.queues import Aws
from chassis.testing import TokenIssuer, serving


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
