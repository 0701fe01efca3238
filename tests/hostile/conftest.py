"""Each service in turn, and a client of it that has no token yet."""

from collections.abc import AsyncIterator

import httpx
import pytest

from chassis.testing import TokenIssuer, serving
from tests.test_services import SERVICES


@pytest.fixture(params=SERVICES, ids=lambda service: service.name)
def asked(request):
    return request.param


@pytest.fixture
def service(asked) -> str:
    name: str = asked.name
    return name


@pytest.fixture
async def client(
    asked, database, provisioned, issuer: TokenIssuer
) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(asked, database, provisioned, [issuer.trusted]) as client:
        yield client
