"""Metrics as CloudWatch reads them from log lines: its embedded metric format.

One line a minute and process, unless `OTEL_METRIC_EXPORT_INTERVAL` says otherwise, of
what happened and of what stands. A metric is charged for by name and dimensions: the
service is the only one, and only those are named that a chart or an alarm watches. The
others are in the line too, for whoever searches.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, TypeAlias

import structlog
from opentelemetry.sdk.metrics import Counter, Histogram, _Gauge
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
)
from typing_extensions import override

from chassis import metrics

NAMESPACE = "Orderly"
UNITS: Mapping[str, str] = {"s": "Seconds"}  # what else is counted is a Count
NEWS: dict[type, AggregationTemporality] = {
    Counter: AggregationTemporality.DELTA,
    Histogram: AggregationTemporality.DELTA,
    # Or a process that has come to rest would repeat it for ever: what is to be
    # repeated is a standing one.
    _Gauge: AggregationTemporality.DELTA,
}

Value: TypeAlias = float | Mapping[str, float | list[float]]


def write(line: Mapping[str, Any]) -> None:
    """As a line of its own, whatever the others look like, and of any level."""
    structlog.get_config()["logger_factory"]().msg(json.dumps(line))


class EmfExporter(MetricExporter):
    def __init__(
        self, service: str, write: Callable[[Mapping[str, Any]], None] = write
    ) -> None:
        super().__init__(preferred_temporality=NEWS)
        self._service = service
        self._write = write

    @override
    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_: Any
    ) -> MetricExportResult:
        found = [
            metric
            for resource in metrics_data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name in metrics.REGISTRY
        ]
        if found:
            self._write(line(self._service, found))
        return MetricExportResult.SUCCESS

    @override
    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True

    @override
    def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:
        """Nothing is kept here."""


def line(service: str, found: Sequence[Metric]) -> dict[str, Any]:
    points = [point for metric in found for point in metric.data.data_points]
    at_ms = max(point.time_unix_nano for point in points) // 1_000_000
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    watched = [metric for metric in found if metrics.REGISTRY[metric.name].watched]
    told = {
        "CloudWatchMetrics": [
            {
                "Namespace": NAMESPACE,
                "Dimensions": [["service"]],
                "Metrics": [
                    {"Name": metric.name, "Unit": UNITS.get(metric.unit or "", "Count")}
                    for metric in watched
                ],
            }
        ]
    }
    return {
        # With nothing in it, CloudWatch would count a line that it cannot read.
        **({"_aws": {"Timestamp": at_ms, **told}} if watched else {}),
        "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": "info",
        "service": service,
        "message": "Metrics",
        **{metric.name: _value(metric) for metric in found},
    }


def _value(metric: Metric) -> Value:
    """Of all its attributes together."""
    points = metric.data.data_points
    histograms = [point for point in points if isinstance(point, HistogramDataPoint)]
    if histograms:
        return _distribution(histograms)
    numbers = [point.value for point in points if isinstance(point, NumberDataPoint)]
    return max(numbers) if isinstance(metric.data, Gauge) else sum(numbers)


def _distribution(points: Sequence[HistogramDataPoint]) -> Value:
    """Each bucket by a value in its middle: CloudWatch makes percentiles of them."""
    least, most = min(p.min for p in points), max(p.max for p in points)
    buckets = [p.bucket_counts for p in points]
    counts = [sum(bucket) for bucket in zip(*buckets, strict=True)]
    filled = {
        value: count
        for value, count in zip(
            _middles(points[0].explicit_bounds, least, most), counts, strict=True
        )
        if count
    }
    return {
        "Values": list(filled),
        "Counts": list(filled.values()),
        "Min": least,
        "Max": most,
        "Sum": sum(p.sum for p in points),
        "Count": sum(p.count for p in points),
    }


def _middles(bounds: Sequence[float], least: float, most: float) -> Iterable[float]:
    edges = [min(max(edge, least), most) for edge in (least, *bounds, most)]
    return [(low + high) / 2 for low, high in pairwise(edges)]
