"""Logs: a line for each thing that matters, for machines or for people.

All three services write the same fields: time, level, service, message, trace_id, and
what the line is about by the name that events have for it. Nothing in a line is secret
or says who a customer is.
"""

import logging
import os
import sys
from collections.abc import Collection, Mapping, MutableMapping
from typing import Any

import structlog

from chassis import tracing
from chassis.settings import ServiceSettings
from chassis.stdout import Lines

Processors = list[structlog.typing.Processor]


def setup(service: str, settings: ServiceSettings) -> None:
    for_machines = settings.log_format == "json"
    described, rendered = _for_machines(service) if for_machines else _for_people()

    def lost(lines: int) -> str:
        """Without structlog's own logger, which would have it wait for itself."""
        line: Any = {"event": "Log lines lost", "lines": lines}
        for processor in (*described, *rendered):
            line = processor(None, "warning", line)
        return f"{line}\n"

    out = Lines(sys.stdout.fileno(), lost)
    structlog.configure(
        processors=[*described, *rendered],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        # Of a file it uses `write` and `flush`, which is what ours has.
        logger_factory=structlog.WriteLoggerFactory(file=out),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )
    _setup_libraries_logs(settings.log_level, described, rendered, out)


def of_one(name: str, ids: Collection[object]) -> Mapping[str, str]:
    """What a line is about, if that is one thing."""
    return {name: str(next(iter(ids)))} if len(ids) == 1 else {}


def _setup_libraries_logs(
    level: str, described: Processors, rendered: Processors, out: Lines
) -> None:
    """Libraries speak through the standard library; they get the same form."""
    no_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=described, processors=[no_meta, *rendered]
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))


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


def _add_trace(
    _: Any, __: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    if trace_id := tracing.trace_id():
        event["trace_id"] = trace_id
    return {**tracing.about(), **event}


def _shorten_trace_id(
    _: Any, __: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    if trace_id := event.pop("trace_id", None):
        event["trace"] = trace_id[:8]
    return event


_DESCRIBED: Processors = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    _add_trace,
]
