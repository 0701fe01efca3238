"""A collector of our own: takes traces and metrics by OTLP over HTTP."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from typing_extensions import override

COLLECTED_WITHIN_S = 60


@dataclass(frozen=True)
class Collected:
    service: str
    span: Span

    @property
    def trace_id(self) -> str:
        return self.span.trace_id.hex()

    @property
    def linked(self) -> set[str]:
        return {link.trace_id.hex() for link in self.span.links}


@dataclass
class Collector:
    url: str = ""
    spans: list[Collected] = field(default_factory=list)
    metrics: dict[tuple[str, str], Metric] = field(default_factory=dict)
    requests: list[dict[str, str]] = field(default_factory=list)

    def trace(self, trace_id: str) -> list[Collected]:
        return [span for span in self.spans if span.trace_id == trace_id]

    def take(self, path: str, body: bytes) -> None:
        if path == "/v1/traces":
            for traced in ExportTraceServiceRequest.FromString(body).resource_spans:
                service = _service(traced.resource)
                self.spans += [
                    Collected(service, span)
                    for scope in traced.scope_spans
                    for span in scope.spans
                ]
        else:
            for told in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                service = _service(told.resource)
                for scope in told.scope_metrics:
                    for metric in scope.metrics:
                        self.metrics[service, metric.name] = metric


def _service(resource: Resource) -> str:
    named = {item.key: item.value.string_value for item in resource.attributes}
    return named["service.name"]


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.requests.append(dict(self.headers))
            collector.take(self.path, body)
            self.send_response(200)
            self.end_headers()

        @override
        def log_message(self, *_: object) -> None:
            """Tests have an output of their own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
