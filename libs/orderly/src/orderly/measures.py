"""`python -m orderly.measures`: what every metric is called and says, as a document."""

from collections.abc import Iterator
from importlib import import_module

from chassis import metrics
from contracts.topology import TOPOLOGY

HEAD = """\
# Metrics

Written by `make fmt` from where each metric is named. Names are the same by OTLP, in
CloudWatch (namespace `Orderly`, dimension `service`), on the dashboard and in alarms.
CloudWatch is told of all of them, and paid for those that a chart or an alarm watches:
**watched**. What is *standing* is a gauge that is told of every minute, also while
nothing happens. How they get there: [observability.md](observability.md).
"""


def document() -> str:
    return "\n".join([HEAD, *_tables()])


def _tables() -> Iterator[str]:
    """Each service in its turn: what is new with it is its own."""
    import_module("chassis.lifecycle")
    yield from _table("Of every service", set())
    for topic in TOPOLOGY.topics:
        known = set(metrics.REGISTRY)
        service = topic.name.removeprefix("orderly-")
        import_module(f"{service}.main")
        yield from _table(f"Of {service.capitalize()}", known)


def _table(title: str, known: set[str]) -> Iterator[str]:
    yield f"## {title}\n"
    yield "| Metric | Kind | Unit | Says | |\n|---|---|---|---|---|"
    for name in sorted(metrics.REGISTRY.keys() - known):
        it = metrics.REGISTRY[name]
        unit = it.unit.strip("{}")
        watched = "watched" if it.watched else ""
        yield f"| `{name}` | {it.kind} | {unit} | {it.description} | {watched} |"
    yield ""


if __name__ == "__main__":
    print(document(), end="")  # noqa: T201 - it is written where it is asked for
