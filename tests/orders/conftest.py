from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    InMemoryMetricReader,
    NumberDataPoint,
)

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


@pytest.fixture(scope="session")
def meter() -> InMemoryMetricReader:
    news: dict[type, AggregationTemporality] = {
        Counter: AggregationTemporality.DELTA,
        Histogram: AggregationTemporality.DELTA,
    }
    reader = InMemoryMetricReader(preferred_temporality=news)
    metrics.set_meter_provider(MeterProvider([reader]))
    return reader


@pytest.fixture
def counted(
    meter: InMemoryMetricReader,
) -> Callable[[], dict[str, dict[str, float]]]:
    """By metric and attribute: what was counted, since the test began or asked."""

    def read() -> dict[str, dict[str, float]]:
        data = meter.get_metrics_data()
        found = [
            metric
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
        ]
        return {
            metric.name: {
                ",".join(map(str, (point.attributes or {}).values())): (
                    point.value if isinstance(point, NumberDataPoint) else point.count
                )
                for point in metric.data.data_points
            }
            for metric in found
        }

    read()
    return read
