from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from chassis.database import Database
from chassis.queues import Aws
from chassis.testing import TokenIssuer, serving
from orders.main import SERVICE

EVERYTHING = (
    "orders.read",
    "orders.write",
    "channel.web",
    "channel.mobile",
    "channel.wholesale",
)


@pytest.fixture
def service() -> str:
    return "orders"


@pytest.fixture
async def client(
    database: Database, aws: Aws, issuer: TokenIssuer
) -> AsyncIterator[httpx.AsyncClient]:
    """A storefront that may do everything, unless a request brings another token."""
    async with serving(SERVICE, database, aws, [issuer.trusted]) as client:
        client.headers.update(issuer.headers(*EVERYTHING))
        yield client


@pytest.fixture
def allowed(issuer: TokenIssuer) -> Callable[..., dict[str, str]]:
    """The headers of a token with these scopes, by default all, and these claims."""

    def headers(*scopes: str, **claims: Any) -> dict[str, str]:
        return issuer.headers(*(scopes or EVERYTHING), **claims)

    return headers
