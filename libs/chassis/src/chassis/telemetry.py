"""Logs that can be read, and the trace that ties them together.

A trace id flows through everything also when nothing is recorded or exported.
"""

import logging
import os
import sys
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any

import structlog
from opentelemetry import context, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.settings import ServiceSettings

_PROPAGATOR = TraceContextTextMapPropagator()
tracer = trace.get_tracer("orderly")


def setup(service: str, settings: ServiceSettings) -> None:
    _setup_logs(service, settings)
    # Ids flow, nothing is recorded: that costs a few microseconds a request.
    trace.set_tracer_provider(
        TracerProvider(sampler=ALWAYS_OFF, resource=Resource({"service.name": service}))
    )


Processors = list[structlog.typing.Processor]


def _setup_logs(service: str, settings: ServiceSettings) -> None:
    for_machines = settings.log_format == "json"
    described, rendered = _for_machines(service) if for_machines else _for_people()
    structlog.configure(
        processors=[*described, *rendered],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        cache_logger_on_first_use=True,
    )
    _setup_libraries_logs(settings.log_level, described, rendered)


def _setup_libraries_logs(
    level: str, described: Processors, rendered: Processors
) -> None:
    """Libraries speak through the standard library; they get the same form."""
    no_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=described, processors=[no_meta, *rendered]
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))
    # A setting of its own says whether there are any.
    logging.getLogger("uvicorn.access").setLevel(logging.INFO)


def _for_machines(service: str) -> tuple[Processors, Processors]:
    """How a line is described, and how it is rendered then: as JSON."""

    def add_service(
        _: Any, __: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    # Without the frames' variables: they hold customers' data, and keys.
    frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [
        *_DESCRIBED,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        add_service,
    ], [
        structlog.processors.ExceptionRenderer(frames),
        structlog.processors.EventRenamer("message"),
        structlog.processors.JSONRenderer(default=str),
    ]


def _for_people() -> tuple[Processors, Processors]:
    """For a terminal: one service, today; eight digits tell traces apart."""
    return [
        *_DESCRIBED,
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False, key="time"),
        _shorten_trace_id,
    ], [
        structlog.dev.ConsoleRenderer(
            timestamp_key="time",
            pad_event_to=0,
            colors=not os.environ.get("NO_COLOR"),  # what people set for all programs
            exception_formatter=structlog.dev.plain_traceback,
        )
    ]


def _add_trace_id(
    _: Any,
    __: str,
    event: MutableMapping[str, Any],
) -> MutableMapping[str, Any]:
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event["trace_id"] = f"{span.trace_id:032x}"
    return event


_DESCRIBED: Processors = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    _add_trace_id,
]


def _shorten_trace_id(
    _: Any,
    __: str,
    event: MutableMapping[str, Any],
) -> MutableMapping[str, Any]:
    if trace_id := event.pop("trace_id", None):
        event["trace"] = trace_id[:8]
    return event


def traceparent() -> str | None:
    """The current trace in W3C form, to be carried by events."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent")


def context_of(traceparent: str | None) -> context.Context:
    return _PROPAGATOR.extract({"traceparent": traceparent} if traceparent else {})


@contextmanager
def handling(what: str, traceparents: Sequence[str | None]) -> Iterator[None]:
    """A span for a batch: it continues the first trace and links to all of them."""
    known = [parent for parent in dict.fromkeys(traceparents) if parent]
    parents = [trace.get_current_span(context_of(parent)) for parent in known]
    with tracer.start_as_current_span(
        f"handle {what}",
        context=context_of(known[0] if known else None),
        kind=trace.SpanKind.CONSUMER,
        links=[trace.Link(parent.get_span_context()) for parent in parents],
    ):
        yield


class Traced:
    """ASGI: each request continues the caller's trace, or begins one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = next(
            (v.decode("latin-1") for k, v in scope["headers"] if k == b"traceparent"),
            None,
        )
        with tracer.start_as_current_span(
            f"{scope['method']} {scope['path']}",
            context=context_of(sent),
            kind=trace.SpanKind.SERVER,
        ):
            await self._app(scope, receive, send)
