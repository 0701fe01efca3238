"""Every test's surroundings: the chassis's test kit on real servers."""

import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any

import pytest
import structlog
from hypothesis import settings
from msgspec import convert
from sqlalchemy import select

import contracts
from chassis.database import Tx
from chassis.events import Announcement
from chassis.lifecycle import GARBAGE
from chassis.outbox import outbox
from chassis.queues import Aws
from chassis.topology import provision
from contracts.topology import TOPOLOGY
from tests import backends
from tests.tls import Authority

pytest_plugins = ["chassis.testing", "tests.counting"]

# Fixtures that start a server, and what it is.
NEEDS = {
    "postgres_url": ("postgres",),
    "home": ("postgres",),
    "server": ("postgres",),
    "aws_environment": ("localstack",),
    "emulator": ("localstack",),
    "stack": ("postgres", "localstack"),
    "servers": ("postgres", "localstack"),
    "images": ("containers",),
}
EVENT_TYPES = {event.type: event for event in contracts.EVENTS}

# Our HTTP client looks for it several times a request, through all of the path. It is
# not there, and not to find it took a sixth of a rush of orders. None says so to
# Python, though not to its types.
sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]


def pytest_xdist_auto_num_workers() -> int:
    """Three for two cores: a test waits for others at times, and each of us
    has to read all of the tests and have servers first.
    """
    return max(2, 3 * (os.cpu_count() or 1) // 2)


def pytest_report_header(config: pytest.Config) -> list[str]:
    marks = config.getoption("markexpr")
    return [str(backends.choice()), f"tests: {marks or 'all'}"]


def pytest_configure(config: pytest.Config) -> None:
    gc.disable()  # until all there is to be imported is
    _log_without_ornaments()
    # What runs in the background ignores Ctrl-C, and so would all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    settings.register_profile("patient", deadline=None)  # machines are busy at times
    settings.load_profile("patient")
    config.addinivalue_line("markers", "postgres: needs PostgreSQL (marked by itself)")
    config.addinivalue_line("markers", "localstack: needs SQS/SNS (marked by itself)")
    config.addinivalue_line("markers", "containers: of `make compose-test` alone")
    config.addinivalue_line("markers", "deaths: of `make deaths` alone")
    config.addinivalue_line("markers", "chaos: of `make chaos` and `make bugs` alone")
    config.addinivalue_line("markers", "fuzz: of `make fuzz` alone")
    config.addinivalue_line("markers", "browser: of `make console-test` alone")


def _log_without_ornaments() -> None:
    """As structlog does by itself, but for tracebacks: each in a frame takes longer
    than the test that it comes from.
    """
    *described, _ = structlog.get_config()["processors"]
    plain = structlog.dev.ConsoleRenderer(
        exception_formatter=structlog.dev.plain_traceback
    )
    structlog.configure(processors=[*described, plain])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test is marked with the servers its fixtures use.

    Those that may take longest begin first: nobody waits for one of them at the end.
    """
    items.sort(key=_may_take_s, reverse=True)
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            for server in NEEDS.get(fixture, ()):
                item.add_marker(server)


def _may_take_s(item: pytest.Item) -> float:
    mark = item.get_closest_marker("timeout")
    return float(mark.args[0]) if mark else 0


def pytest_collection_finish() -> None:
    """Look for garbage as seldom as a service does, and not in what stays."""
    gc.freeze()
    gc.set_threshold(*GARBAGE)
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """One authority, that certified nobody: no test speaks TLS with the outside.

    To read all whom this machine trusts takes a process a tenth of its start.
    """
    authority = str(Authority(tmp_path_factory.mktemp("tls")).file)
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE")
    environment = dict.fromkeys(names, authority)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        yield environment


@pytest.fixture(scope="session")
async def postgres_url() -> AsyncIterator[str]:
    async with backends.postgres() as url:
        yield url


@pytest.fixture(scope="session")
async def aws_environment() -> AsyncIterator[Mapping[str, str]]:
    async with backends.aws() as environment:
        yield environment


@pytest.fixture(scope="session")
async def provisioned(aws: Aws) -> Aws:
    """With the topics and queues of all three services.

    To see again that they are there takes longer than most tests that need them.
    """
    await provision(aws, TOPOLOGY)
    return aws


@pytest.fixture
def published(tx: Tx) -> Callable[[], Awaitable[list[Announcement]]]:
    """What this transaction has announced so far, in its order."""

    async def read() -> list[Announcement]:
        rows = await tx.execute(select(outbox).order_by(outbox.c.added))
        return [_announcement(row) for row in rows.mappings()]

    return read


def _announcement(row: Any) -> Announcement:
    data = convert(row["data"], EVENT_TYPES[row["type"]])
    return Announcement(data, row["subject"], row["sequence"])
