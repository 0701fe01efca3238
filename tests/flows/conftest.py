"""The whole stack, as `make run` starts it, in a folder and on ports of its own."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest

from orderly.stack.stack import Stack
from tests.collector import Collector, collecting
from tests.flows.shop import Shop


@pytest.fixture(scope="package")
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="package")
async def stack(collector: Collector) -> AsyncIterator[Stack]:
    """One for all, that tells all it can, in every way that it can."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        environment.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
        environment.setenv("OTEL_METRIC_EXPORT_INTERVAL", "500")
        environment.setenv("ORDERLY_METRICS", "emf")
        environment.setenv("ORDERLY_ACCESS_LOG", "all")
        environment.setenv("ORDERLY_LOG_LEVEL", "debug")
        async with Stack.throwaway() as stack:
            yield stack


@pytest.fixture
async def shop(stack: Stack) -> AsyncIterator[Shop]:
    async with a_shop(stack) as shop:
        yield shop


@asynccontextmanager
async def a_shop(stack: Stack) -> AsyncIterator[Shop]:
    headers = {"Authorization": f"Bearer {stack.signer.token()}"}
    limits = httpx.Limits(max_connections=32)
    async with httpx.AsyncClient(
        base_url=stack.url, headers=headers, limits=limits, timeout=30, trust_env=False
    ) as http:
        yield Shop(http)
