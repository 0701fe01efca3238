import json
import subprocess
import sys
from threading import Event
from time import monotonic

import pytest
import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from chassis import exporting
from chassis.exporting import Signed, _session
from tests.collector import collecting

IMPORTED = """
import json, sys
from chassis import lifecycle, telemetry
from sample.main import Settings

telemetry.setup("sample", Settings(database_url="postgresql://"))
print(json.dumps([name for name in sys.modules if "opentelemetry" in name]))
"""


def test_what_is_off_is_not_even_imported():
    ran = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", IMPORTED],
        env={"PYTHONPATH": ":".join(sys.path)},
        check=True,
        capture_output=True,
        text=True,
    )

    imported = json.loads(ran.stdout)
    assert not [name for name in imported if "opentelemetry.sdk" in name]
    assert not [name for name in imported if "opentelemetry.exporter" in name]


def test_x_ray_gets_requests_signed_for_its_region(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session")
    with collecting() as collector:
        session = requests.Session()
        session.auth = Signed("xray", region="eu-west-1")
        exporter = OTLPSpanExporter(f"{collector.url}/v1/traces", session=session)
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(exporter))

        provider.get_tracer("tests").start_span("signed").end()

    (headers,) = collector.requests
    assert "/eu-west-1/xray/aws4_request" in headers["Authorization"]
    assert headers["X-Amz-Security-Token"] == "session"
    assert [span.span.name for span in collector.spans] == ["signed"]


@pytest.mark.parametrize(
    ("endpoint", "signed"),
    [
        ("https://xray.eu-west-1.amazonaws.com/v1/traces", True),
        ("https://xray.eu-west-1.example.com/v1/traces", False),
        ("http://localhost:4318/v1/traces", False),
        (None, False),
    ],
)
def test_nobody_but_x_ray_gets_a_signature(endpoint: str | None, signed: bool):  # noqa: FBT001 - a row of the table
    assert isinstance(_session(endpoint).auth, Signed) is signed


def test_all_who_cannot_send_the_rest_are_waited_for_together(monkeypatch):
    class Stuck:
        shutdown = Event().wait

    monkeypatch.setattr(exporting, "FINISHES_WITHIN_S", 0.2)
    monkeypatch.setattr(exporting, "_providers", [Stuck() for _ in range(100)])
    began = monotonic()

    exporting.finish()

    assert monotonic() - began < 10  # not 100 times 0.2
