import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

from chassis import metrics
from chassis.emf import EmfExporter

Lines = list[Mapping[str, Any]]

PROCESS = """
import structlog
from chassis import metrics, telemetry
from chassis.settings import ServiceSettings

settings = ServiceSettings(
    database_url="postgresql://", metrics="emf", log_level="error"
)
telemetry.setup("sample", settings)
metrics.SHED.add(3)
telemetry.finish(settings)
structlog.get_logger().error("Left")
"""


@pytest.fixture
def lines() -> Lines:
    return []


@pytest.fixture
def provider(lines: Lines) -> MeterProvider:
    reader = PeriodicExportingMetricReader(EmfExporter("sample", lines.append), 1e9)
    return MeterProvider([reader], shutdown_on_exit=False)


@pytest.fixture
def a_metric(monkeypatch) -> Callable[..., None]:
    """Name one, without any other test hearing of it."""
    monkeypatch.setattr(metrics, "REGISTRY", {})

    def name(name: str, *, watched: bool = True) -> None:
        metrics.counter(name, "{note}", "Notes", watched=watched)

    return name


def test_a_minute_is_a_line_that_cloudwatch_reads(provider, lines, a_metric):
    a_metric("orderly.notes.taken")
    taken = provider.get_meter("tests").create_counter("orderly.notes.taken", "{note}")

    taken.add(2, {"colour": "red"})
    taken.add(3, {"colour": "blue"})
    provider.force_flush()

    (line,) = lines
    assert line["orderly.notes.taken"] == 5
    assert line["service"] == "sample"
    assert line["level"] == "info"
    at = datetime.fromisoformat(line["time"]).timestamp()
    assert round(at * 1000) == line["_aws"]["Timestamp"]
    (told,) = line["_aws"]["CloudWatchMetrics"]
    assert told["Namespace"] == "Orderly"
    assert told["Dimensions"] == [["service"]]
    assert told["Metrics"] == [{"Name": "orderly.notes.taken", "Unit": "Count"}]
    assert line["_aws"]["Timestamp"] > 1_700_000_000_000


def test_what_nothing_watches_is_told_and_not_paid_for(provider, lines, a_metric):
    a_metric("orderly.notes.taken", watched=False)
    taken = provider.get_meter("tests").create_counter("orderly.notes.taken", "{note}")

    taken.add(2)
    provider.force_flush()

    (line,) = lines
    assert line["orderly.notes.taken"] == 2
    assert "_aws" not in line


def test_nothing_is_told_twice_and_an_idle_process_tells_nothing(
    provider, lines, a_metric
):
    a_metric("orderly.notes.taken")
    a_metric("orderly.notes.there")
    meter = provider.get_meter("tests")
    taken = meter.create_counter("orderly.notes.taken", "{note}")
    there = meter.create_gauge("orderly.notes.there", "{note}")

    provider.force_flush()
    taken.add(2)
    there.set(7, {"queue": "a"})
    there.set(9, {"queue": "b"})
    provider.force_flush()
    provider.force_flush()

    (line,) = lines
    assert (line["orderly.notes.taken"], line["orderly.notes.there"]) == (2, 9)


def test_what_stands_is_told_until_it_is_mended_though_nobody_looks(
    provider, lines, monkeypatch
):
    monkeypatch.setattr(metrics, "REGISTRY", {})
    monkeypatch.setattr(metrics, "_meter", provider.get_meter("tests"))
    torn = metrics.standing("orderly.notes.torn", "{note}", "Notes to be mended")

    torn.set(2, {"colour": "red"})
    torn.set(3, {"colour": "blue"})
    provider.force_flush()
    provider.force_flush()
    torn.set(0, {"colour": "red"})
    torn.set(0, {"colour": "blue"})
    provider.force_flush()

    assert [line["orderly.notes.torn"] for line in lines] == [3, 3, 0]


def test_a_histogram_is_told_by_how_many_were_about_how_large(
    provider, lines, a_metric
):
    a_metric("orderly.notes.seconds")
    seconds = provider.get_meter("tests").create_histogram(
        "orderly.notes.seconds", "s", explicit_bucket_boundaries_advisory=[1, 2, 4]
    )

    for value, colour in ((0.5, "red"), (3.0, "red"), (3.0, "blue"), (9.0, "blue")):
        seconds.record(value, {"colour": colour})
    provider.force_flush()

    assert lines[0]["orderly.notes.seconds"] == {
        "Values": [0.75, 3.0, 6.5],
        "Counts": [1, 2, 1],
        "Min": 0.5,
        "Max": 9.0,
        "Sum": 15.5,
        "Count": 4,
    }
    (told,) = lines[0]["_aws"]["CloudWatchMetrics"]
    assert told["Metrics"] == [{"Name": "orderly.notes.seconds", "Unit": "Seconds"}]


def test_a_process_tells_what_is_left_as_it_leaves_between_its_log_lines():
    ran = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", PROCESS],
        env={"PYTHONPATH": ":".join(sys.path)},
        check=True,
        capture_output=True,
        text=True,
    )

    told, left = map(json.loads, ran.stdout.splitlines())
    assert (told["orderly.requests.shed"], told["service"]) == (3, "sample")
    assert left["message"] == "Left"
