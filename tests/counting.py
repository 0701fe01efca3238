"""What a test's doings would tell CloudWatch, or a collector."""

from collections.abc import Callable

import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    InMemoryMetricReader,
    NumberDataPoint,
)


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
