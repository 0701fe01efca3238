"""Where traces and metrics go: by OTLP to whom the settings name, X-Ray among them.

Imported by a process that sends something. OpenTelemetry's own threads send it, within
bounded memory: while nobody takes it, what is told is lost, and nothing else.
"""

import re
from threading import Thread
from time import monotonic
from typing import Any, Protocol

import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.session import get_session
from opentelemetry import metrics
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from requests.auth import AuthBase
from typing_extensions import override

from chassis import tracing
from chassis.emf import EmfExporter
from chassis.settings import ServiceSettings

FINISHES_WITHIN_S = 2.0
# Less than OpenTelemetry's 2048 and 512: a span has a kilobyte, and X-Ray takes 5 MB.
SPANS_WAITING = 2000
SPANS_AT_ONCE = 500

_OF_XRAY = re.compile(r"https://xray\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/")


class Provider(Protocol):
    def shutdown(self) -> None: ...


_providers: list[Provider] = []


def start(service: str, settings: ServiceSettings) -> None:
    named = {"service.name": service, "service.namespace": "orderly"}
    resource = Resource.create(named)
    if settings.exports_traces:
        _trace(resource, settings)
    if readers := _readers(service, settings):
        measured = MeterProvider(readers, resource)
        metrics.set_meter_provider(measured)
        _providers.append(measured)


def finish() -> None:
    """Send the rest, for as long as a process that leaves can wait."""
    tracing.stop_recording()
    threads = [Thread(target=p.shutdown, daemon=True) for p in _providers]
    for thread in threads:
        thread.start()
    until = monotonic() + FINISHES_WITHIN_S
    for thread in threads:
        thread.join(max(0, until - monotonic()))
    _providers.clear()


def _trace(resource: Resource, settings: ServiceSettings) -> None:
    # Whether a trace is recorded is decided before there is a span.
    provider = TracerProvider(ALWAYS_ON, resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(session=_session(settings.otlp_traces_endpoint))
    provider.add_span_processor(
        BatchSpanProcessor(
            exporter,
            max_queue_size=SPANS_WAITING,
            max_export_batch_size=SPANS_AT_ONCE,
        )
    )
    tracing.record(provider.get_tracer("orderly"), share=settings.trace_sampling)
    _providers.append(provider)


def _readers(service: str, settings: ServiceSettings) -> list[MetricReader]:
    readers: list[MetricReader] = []
    if settings.exports_metrics:
        readers.append(PeriodicExportingMetricReader(OTLPMetricExporter()))
    if settings.metrics == "emf":
        # Once a minute, unless the environment says otherwise: that is what CloudWatch
        # keeps, and what its lines are charged by.
        readers.append(PeriodicExportingMetricReader(EmfExporter(service)))
    return readers


def _session(endpoint: str | None) -> requests.Session:
    session = requests.Session()
    if endpoint and (of_xray := _OF_XRAY.match(endpoint)):
        session.auth = Signed("xray", region=of_xray[1])
    return session


class Signed(AuthBase):
    """Requests that AWS accepts from the role of this task."""

    def __init__(self, service: str, *, region: str) -> None:
        self._service = service
        self._region = region
        self._session = get_session()

    @override
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        credentials = self._session.get_credentials()
        if credentials is None:
            return request  # it is refused, and the log says so
        signed: Any = AWSRequest(
            "POST",
            request.url,
            {"Content-Type": request.headers["Content-Type"]},
            request.body,
        )
        frozen = credentials.get_frozen_credentials()
        SigV4Auth(frozen, self._service, self._region).add_auth(signed)
        request.headers.update(dict(signed.headers))
        return request
