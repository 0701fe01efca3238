"""Which trace the work at hand belongs to, and the spans that show it.

A trace is carried as its W3C traceparent. Ids flow through everything, also where
nothing is recorded: that costs a string. What is recorded is decided once, where the
trace begins; everybody after follows the flag in it.
"""

import random
import re
from asyncio import CancelledError
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeAlias

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# What a piece of work is about, and the trace of who asked for it.
Cause: TypeAlias = tuple[str, str | None]

MOST_TRACES = 100  # of one batch that get a span each; the rest go on without
QUIET = frozenset({"/healthz", "/readyz"})  # asked every few seconds, by machines

_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}(-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})(-.*)?"
)
_SAMPLED = trace.TraceFlags(trace.TraceFlags.SAMPLED)

_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


@dataclass(frozen=True)
class _Causes:
    """The traces of those who asked, by what about; and what that is called in logs."""

    by_subject: Mapping[str, str | None]
    named: str


_causes: ContextVar[_Causes | None] = ContextVar("causes", default=None)


@dataclass(frozen=True)
class _Recorder:
    tracer: trace.Tracer
    share: float


_recorder: _Recorder | None = None


def record(tracer: trace.Tracer, *, share: float) -> None:
    """From now on, record this share of the traces that begin here."""
    global _recorder  # noqa: PLW0603 - a process has one
    _recorder = _Recorder(tracer, share)


def stop_recording() -> None:
    global _recorder  # noqa: PLW0603 - a process has one
    _recorder = None


def traceparent(subject: str | None = None) -> str | None:
    """The trace of the work at hand; in a batch, of who asked about this subject."""
    causes = _causes.get()
    cause = causes.by_subject.get(subject) if causes and subject else None
    return cause or _current.get()


def about() -> Mapping[str, str]:
    """What the work at hand is about, by its name, if that is one thing."""
    causes = _causes.get()
    if not causes or len(causes.by_subject) != 1:
        return {}
    (subject,) = causes.by_subject
    return {causes.named: subject} if subject else {}


def trace_id() -> str | None:
    current = _current.get()
    return current[3:35] if current else None


def accepted(sent: object) -> str | None:
    """What somebody sent as a traceparent, unless it is none."""
    match = _TRACEPARENT.fullmatch(sent) if isinstance(sent, str) else None
    return f"00{match[1]}" if match else None


@contextmanager
def handling(
    what: str, causes: Sequence[Cause], *, named: str = "subject"
) -> Iterator[None]:
    """One batch for many: each subject's events go on with the trace of its own cause.

    Recorded, the batch is a span, linked to every trace it serves, and each of these
    has a span for its part. A batch for one trace is a span of it.
    """
    by_subject = dict(causes)
    recorder = _recorder
    parents = _recorded(parent for _, parent in causes) if recorder else ()
    if not recorder or not parents:
        first = next((parent for _, parent in causes if parent), None)
        with _working(first, _Causes(by_subject, named)):
            yield
        return
    batch, parts = _spans(recorder.tracer, what, parents, size=len(causes))
    continued = {parent: _carried(span) for parent, span in parts.items()}
    by_subject = {
        about: continued.get(parent, parent) if parent else None
        for about, parent in causes
    }
    spans = {batch, *parts.values()}
    try:
        with _working(_carried(batch), _Causes(by_subject, named)):
            yield
    except BaseException as error:
        for span in spans:
            _blame(span, error)
        raise
    finally:
        for span in spans:
            span.end()


@contextmanager
def publishing(topic: str, traceparents: Iterable[str | None]) -> Iterator[None]:
    """A span linked to the traces whose events are taken out together."""
    recorder = _recorder
    parents = _recorded(traceparents) if recorder else ()
    if not recorder or not parents:
        yield
        return
    span = _batch(recorder.tracer, f"publish {topic}", parents, SpanKind.PRODUCER)
    try:
        yield
    except BaseException as error:
        _blame(span, error)
        raise
    finally:
        span.end()


@contextmanager
def continuing(sent: str | None) -> Iterator[None]:
    """Something small in a trace that has its spans elsewhere."""
    with _working(sent, None):
        yield


@contextmanager
def beginning(what: str) -> Iterator[None]:
    """Work that nobody asked for just now: a trace of its own."""
    recorder = _recorder
    if not recorder or not _is_chosen(recorder):
        with _working(_made_up(), None):
            yield
        return
    with _span(recorder.tracer.start_span(what)):
        yield


class Traced:
    """ASGI: each request continues the caller's trace, or begins one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in QUIET:
            await self._app(scope, receive, send)
            return
        parent = _sent(scope)
        recorder = _recorder
        if recorder and (_is_sampled(parent) if parent else _is_chosen(recorder)):
            await self._recorded(recorder.tracer, parent, scope, receive, send)
            return
        token = _current.set(parent or _made_up())
        try:
            await self._app(scope, receive, send)
        finally:
            _current.reset(token)

    async def _recorded(
        self,
        tracer: trace.Tracer,
        parent: str | None,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        method = scope["method"]
        span = tracer.start_span(
            method,
            context=_context(parent),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": method, "url.path": scope["path"]},
        )

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                _note_answer(span, message["status"])
            await send(message)

        with _span(span):
            try:
                await self._app(scope, receive, answer)
            finally:
                if route := getattr(scope.get("route"), "path", None):
                    span.update_name(f"{method} {route}")
                    span.set_attribute("http.route", route)


def _sent(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"traceparent":
            return accepted(value.decode("latin-1"))
    return None


def _made_up() -> str:
    """A trace that nobody records: it ties log lines and events together."""
    return f"00-{random.getrandbits(128):032x}-{random.getrandbits(64):016x}-00"


def _is_chosen(recorder: _Recorder) -> bool:
    return random.random() < recorder.share


def _is_sampled(traceparent: str) -> bool:
    return traceparent[-1] in "13579bdf"


def _recorded(traceparents: Iterable[str | None]) -> Sequence[str]:
    distinct = dict.fromkeys(parent for parent in traceparents if parent)
    return [parent for parent in distinct if _is_sampled(parent)][:MOST_TRACES]


def _spans(
    tracer: trace.Tracer, what: str, parents: Sequence[str], *, size: int
) -> tuple[Span, Mapping[str, Span]]:
    """The batch's own span; by what they continue, those in the traces it serves."""
    batch = _batch(tracer, f"handle {what}", parents, SpanKind.CONSUMER)
    batch.set_attribute("messaging.batch.message_count", size)
    if len(parents) == 1:
        return batch, {parents[0]: batch}
    link = trace.Link(batch.get_span_context())
    return batch, {
        parent: tracer.start_span(
            f"handle {what}",
            context=_context(parent),
            kind=SpanKind.CONSUMER,
            links=[link],
        )
        for parent in parents
    }


def _batch(
    tracer: trace.Tracer, name: str, parents: Sequence[str], kind: SpanKind
) -> Span:
    alone = parents[0] if len(parents) == 1 else None
    links = () if alone else [trace.Link(_span_context(parent)) for parent in parents]
    return tracer.start_span(name, context=_context(alone), kind=kind, links=links)


@contextmanager
def _span(span: Span) -> Iterator[None]:
    try:
        with _working(_carried(span), None):
            yield
    except BaseException as error:
        _blame(span, error)
        raise
    finally:
        span.end()


@contextmanager
def _working(current: str | None, causes: _Causes | None) -> Iterator[None]:
    was, were = _current.set(current), _causes.set(causes)
    try:
        yield
    finally:
        _current.reset(was)
        _causes.reset(were)


def _carried(span: Span) -> str:
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-01"


def _span_context(traceparent: str) -> SpanContext:
    return SpanContext(
        int(traceparent[3:35], 16),
        int(traceparent[36:52], 16),
        is_remote=True,
        trace_flags=_SAMPLED,
    )


def _context(parent: str | None) -> Context:
    """Only what is said here: never what some library may have left around."""
    span = NonRecordingSpan(_span_context(parent)) if parent else trace.INVALID_SPAN
    return trace.set_span_in_context(span, Context())


def _note_answer(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        span.set_status(trace.StatusCode.ERROR)


def _blame(span: Span, error: BaseException) -> None:
    """Its kind alone: what it says may quote what was sent.

    That the client went away, or the process leaves, is nobody's error.
    """
    if isinstance(error, CancelledError):
        return
    span.set_attribute("error.type", type(error).__qualname__)
    span.set_status(trace.StatusCode.ERROR)
