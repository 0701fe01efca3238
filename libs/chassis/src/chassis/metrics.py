"""Every metric of the chassis, named once. Services name theirs the same way.

Dashboards, alarms and documents use exactly these names.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

_meter = metrics.get_meter("orderly")


@dataclass(frozen=True)
class Metric:
    name: str
    unit: str
    description: str
    kind: str
    # By a chart or an alarm in production: what is not, CloudWatch is not paid for.
    watched: bool


REGISTRY: dict[str, Metric] = {}

# From a request's time to a day's; and what batches grow to.
SECONDS = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20),
    *(60, 300, 900, 3600, 6 * 3600, 24 * 3600),
)
SIZES = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)


def _register(metric: Metric) -> None:
    if metric.name in REGISTRY:
        raise ValueError(f"two metrics are called {metric.name}")
    REGISTRY[metric.name] = metric


def counter(
    name: str, unit: str, description: str, *, watched: bool = False
) -> metrics.Counter:
    """How often something happened."""
    _register(Metric(name, unit, description, "counter", watched))
    return _meter.create_counter(name, unit, description)


def histogram(
    name: str,
    unit: str,
    description: str,
    *,
    watched: bool = False,
    bounds: Sequence[float] = (),
) -> metrics.Histogram:
    """How long things took, or how large they were."""
    _register(Metric(name, unit, description, "histogram", watched))
    bounds = bounds or (SECONDS if unit == "s" else SIZES)
    return _meter.create_histogram(
        name, unit, description, explicit_bucket_boundaries_advisory=bounds
    )


def gauge(
    name: str, unit: str, description: str, *, watched: bool = False
) -> "metrics._Gauge":
    """How much there is of something, when it was last looked at."""
    _register(Metric(name, unit, description, "gauge", watched))
    return _meter.create_gauge(name, unit, description)


class Standing:
    """What stays as it is until it is looked at again, and is told of all the same.

    A gauge is told of when it was set: of one that is looked at only while there is
    use, whoever watches would think at night that nothing is wrong any more. Whoever
    sets one above 0 goes on looking until it is 0, so that no process that rests tells
    for ever what another has mended.
    """

    def __init__(self, name: str, unit: str, description: str) -> None:
        self._last: dict[frozenset[tuple[str, str]], Observation] = {}
        _meter.create_observable_gauge(name, [self.observe], unit, description)

    def set(self, value: float, attributes: Mapping[str, str] | None = None) -> None:
        attributes = attributes or {}
        self._last[frozenset(attributes.items())] = Observation(value, attributes)

    def observe(self, _: CallbackOptions | None = None) -> Iterable[Observation]:
        return list(self._last.values())


def standing(
    name: str, unit: str, description: str, *, watched: bool = False
) -> Standing:
    """How much there is of something that ought not to be there."""
    _register(Metric(name, unit, description, "standing", watched))
    return Standing(name, unit, description)


BATCH_SIZE = histogram(
    "orderly.batch.size",
    "{request}",
    "Requests written, or looked up, by one transaction; by what they ask for",
)
WAITING = histogram(
    "orderly.batch.waiting",
    "{request}",
    "Requests left in line when a batch is taken; by what they ask for",
)
SHED = counter(
    "orderly.requests.shed",
    "{request}",
    "Requests turned away as too many",
    watched=True,
)
CONNECTIONS_REFUSED = counter(
    "orderly.connections.refused", "{connection}", "Connections closed on their client"
)
CONNECTIONS = gauge(
    "orderly.database.connections",
    "{connection}",
    "Connections that one process used at once, at most, in the last minute",
    watched=True,
)
RELAYED = counter("orderly.outbox.published", "{event}", "Events taken to SNS")
RELAY_FAILURES = counter(
    "orderly.outbox.failures", "{call}", "SNS calls that did not succeed"
)
RELAY_REFUSED = counter(
    "orderly.outbox.refused",
    "{event}",
    "Events that SNS will never take as they are",
    watched=True,
)
OUTBOX_LAG = standing(
    "orderly.outbox.lag",
    "{event}",
    "Events numbered but not published yet",
    watched=True,
)
OUTBOX_POSITION = gauge(
    "orderly.outbox.position", "{event}", "Events ever numbered: where the log ends"
)
QUEUE_AGE = histogram(
    "orderly.queue.age", "s", "What the oldest of the messages at hand has waited"
)
QUEUE_OLDEST = standing(
    "orderly.queue.oldest",
    "s",
    "How long the oldest message of a queue has waited, at most",
)
QUEUE_DEPTH = standing(
    "orderly.queue.depth", "{message}", "Messages of a queue, those in flight too"
)
QUEUE_DEAD_LETTERS = standing(
    "orderly.queue.dead_letters", "{message}", "Dead letters of a queue"
)
HANDLED = counter(
    "orderly.events.handled",
    "{event}",
    "Events handled for the first time",
    watched=True,
)
REPEATED = counter(
    "orderly.events.repeated", "{event}", "Events that had been handled before"
)
HANDLED_TOGETHER = histogram(
    "orderly.events.batch", "{event}", "Events in one transaction"
)
DEAD_LETTERS = counter(
    "orderly.dead_letters",
    "{event}",
    "Events put aside with their reason",
    watched=True,
)
REDRIVEN = counter(
    "orderly.dead_letters.redriven", "{message}", "Dead letters put back on their queue"
)
REPLAYED = counter(
    "orderly.outbox.replayed", "{event}", "Events announced again on demand"
)
