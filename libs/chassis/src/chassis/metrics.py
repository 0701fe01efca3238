"""Every metric of the chassis, named once. Services name theirs the same way.

Dashboards, alarms and documents use exactly these names.
"""

from dataclasses import dataclass

from opentelemetry import metrics

_meter = metrics.get_meter("orderly")


@dataclass(frozen=True)
class Metric:
    name: str
    unit: str
    description: str


REGISTRY: dict[str, Metric] = {}


def _register(name: str, unit: str, description: str) -> Metric:
    if name in REGISTRY:
        raise ValueError(f"two metrics are called {name}")
    return REGISTRY.setdefault(name, Metric(name, unit, description))


def counter(name: str, unit: str, description: str) -> metrics.Counter:
    metric = _register(name, unit, description)
    return _meter.create_counter(metric.name, metric.unit, metric.description)


def histogram(name: str, unit: str, description: str) -> metrics.Histogram:
    metric = _register(name, unit, description)
    return _meter.create_histogram(metric.name, metric.unit, metric.description)


def gauge(name: str, unit: str, description: str) -> "metrics._Gauge":
    metric = _register(name, unit, description)
    return _meter.create_gauge(metric.name, metric.unit, metric.description)


BATCH_SIZE = histogram(
    "orderly.batch.size", "{request}", "Requests written by one commit"
)
SHED = counter("orderly.requests.shed", "{request}", "Requests turned away as too many")
CONNECTIONS_REFUSED = counter(
    "orderly.connections.refused", "{connection}", "Connections closed on their client"
)
RELAYED = counter("orderly.outbox.published", "{event}", "Events taken to SNS")
RELAY_FAILURES = counter(
    "orderly.outbox.failures", "{call}", "SNS calls that did not succeed"
)
RELAY_REFUSED = counter(
    "orderly.outbox.refused", "{event}", "Events that SNS will never take as they are"
)
OUTBOX_LAG = gauge(
    "orderly.outbox.lag", "{event}", "Events numbered but not published yet"
)
HANDLED = counter(
    "orderly.events.handled", "{event}", "Events handled for the first time"
)
REPEATED = counter(
    "orderly.events.repeated", "{event}", "Events that had been handled before"
)
HANDLED_TOGETHER = histogram(
    "orderly.events.batch", "{event}", "Events in one transaction"
)
DEAD_LETTERS = counter(
    "orderly.dead_letters", "{event}", "Events put aside with their reason"
)
REDRIVEN = counter(
    "orderly.dead_letters.redriven", "{message}", "Dead letters put back on their queue"
)
REPLAYED = counter(
    "orderly.outbox.replayed", "{event}", "Events announced again on demand"
)
