"""One PostgreSQL and one SQS/SNS for all the runs; each has databases of its own."""

import logging
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from orderly.stack import keeper
from tests.chaos.system import Servers


@pytest.fixture(scope="session")
async def servers() -> AsyncIterator[Servers]:
    async with Servers.started() as servers:
        yield servers


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who dies is started again soon, however often it dies."""
    monkeypatch.setattr(keeper, "FIRST_PAUSE_S", 0.2)
    monkeypatch.setattr(keeper, "LONGEST_PAUSE_S", 0.2)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Whoever looks on says nothing of what it meets; that is in the services' logs."""
    at_least = structlog.make_filtering_bound_logger(logging.ERROR)
    before = structlog.get_config()
    structlog.configure(wrapper_class=at_least)
    yield
    structlog.configure(**before)


@pytest.fixture
def folder(servers: Servers) -> Iterator[Path]:
    """For logs and histories: kept if there is something to understand."""
    path = Path(tempfile.mkdtemp(prefix="orderly-chaos-"))
    yield path
    if not servers.kept:
        shutil.rmtree(path)
