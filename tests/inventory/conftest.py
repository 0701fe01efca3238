from collections.abc import AsyncIterator

import httpx
import pytest

from chassis.database import Database
from chassis.queues import Aws
from chassis.testing import TokenIssuer, serving
from inventory.main import SERVICE


@pytest.fixture
def service() -> str:
    return "inventory"


@pytest.fixture
async def client(
    database: Database, aws: Aws, issuer: TokenIssuer
) -> AsyncIterator[httpx.AsyncClient]:
    """Staff who may do everything, unless a request brings another token."""
    async with serving(SERVICE, database, aws, [issuer.trusted]) as client:
        client.headers.update(issuer.headers("inventory.read", "inventory.write"))
        yield client
