from asyncio import CancelledError
from collections.abc import Iterator

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from chassis import tracing
from chassis.errors import Conflict
from chassis.routing import HttpRouter
from chassis.web import create_app

SAMPLED, UNSAMPLED = "01", "00"


def a_trace(number: int, flags: str = SAMPLED) -> str:
    return f"00-{number:032x}-{number:016x}-{flags}"


class Recorded:
    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = provider.get_tracer("tests")

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def of(self, trace: int) -> list[ReadableSpan]:
        return [s for s in self.spans if s.context and s.context.trace_id == trace]


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    recorded = Recorded()
    tracing.record(recorded.tracer, share=1)
    yield recorded
    tracing.stop_recording()


@pytest.fixture
def http() -> httpx.AsyncClient:
    router = HttpRouter(prefix="/v1")

    @router.get("/notes/{id}")
    async def get_note(id: str) -> str | None:
        match id:
            case "taken":
                raise Conflict("Somebody has it.")
            case "broken":
                raise ValueError("c-42 lives at 1 Quay St")
            case _:
                return tracing.traceparent()

    app = create_app("sample", description="A sample.", routers=[router])
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://sample", trust_env=False
    )


async def test_a_request_continues_its_callers_trace(http, recorded):
    parent = a_trace(7)

    answer = await http.get("/v1/notes/1", headers={"traceparent": parent})

    (span,) = recorded.of(7)
    assert span.name == "GET /v1/notes/{id}"
    assert span.parent.span_id == 7
    assert answer.json() == f"00-{7:032x}-{span.context.span_id:016x}-01"
    assert span.attributes["http.response.status_code"] == 200


async def test_a_request_without_a_trace_begins_one(http, recorded):
    first, second = [(await http.get("/v1/notes/1")).json() for _ in range(2)]

    assert first[3:35] != second[3:35]
    assert [span.parent for span in recorded.spans] == [None, None]


async def test_a_caller_who_does_not_record_is_followed_too(http, recorded):
    parent = a_trace(7, UNSAMPLED)

    answer = await http.get("/v1/notes/1", headers={"traceparent": parent})

    assert answer.json() == parent
    assert recorded.spans == []


@pytest.mark.parametrize(
    "nonsense", ["nonsense", "00-0-0-00", a_trace(0), "ü", "-" * 55]
)
async def test_nonsense_from_a_caller_is_no_trace(http, nonsense):
    sent = {"traceparent": nonsense.encode("latin-1")}

    answer = await http.get("/v1/notes/1", headers=sent)

    assert tracing.accepted(answer.json())
    assert answer.json()[3:35] not in nonsense


async def test_a_failure_is_on_its_span_by_its_kind_alone(http, recorded):
    await http.get("/v1/notes/broken")

    (span,) = recorded.spans
    assert span.status.status_code is StatusCode.ERROR
    assert "Quay" not in span.to_json()


async def test_a_refusal_is_no_failure(http, recorded):
    await http.get("/v1/notes/taken")

    (span,) = recorded.spans
    assert span.status.status_code is StatusCode.UNSET
    assert span.attributes["http.response.status_code"] == 409


async def test_health_checks_leave_no_trace(http, recorded):
    await http.get("/healthz")

    assert recorded.spans == []


async def test_without_a_recorder_ids_flow_and_there_are_no_spans(http):
    first = (await http.get("/v1/notes/1")).json()

    assert tracing.accepted(first) == first
    assert first.endswith("-00")


async def test_a_share_of_none_records_nothing(http, recorded):
    tracing.record(recorded.tracer, share=0)

    await http.get("/v1/notes/1")

    assert recorded.spans == []


def test_a_batch_for_one_trace_is_a_span_of_it(recorded):
    with tracing.handling("orders", [("o-1", a_trace(1))]):
        carried = tracing.traceparent("o-1")

    (span,) = recorded.of(1)
    assert (span.name, span.parent.span_id) == ("handle orders", 1)
    assert carried == f"00-{1:032x}-{span.context.span_id:016x}-01"
    assert not span.links


def test_a_batch_for_many_is_linked_to_each_and_each_shows_its_part(recorded):
    causes = [(f"o-{number}", a_trace(number)) for number in (1, 2)]

    with tracing.handling("orders", causes):
        carried = tracing.traceparent("o-2")

    (part,) = recorded.of(2)
    (batch,) = [s for s in recorded.spans if s.context.trace_id not in (1, 2)]
    assert {link.context.trace_id for link in batch.links} == {1, 2}
    assert [link.context for link in part.links] == [batch.context]
    assert carried == f"00-{2:032x}-{part.context.span_id:016x}-01"
    assert batch.attributes["messaging.batch.message_count"] == 2


def test_in_a_batch_each_subject_goes_on_with_the_trace_of_its_own_cause():
    causes = [("o-1", a_trace(1)), ("o-2", None), ("o-3", a_trace(3, UNSAMPLED))]

    with tracing.handling("orders", causes):
        carried = [tracing.traceparent(f"o-{number}") for number in (1, 2, 3, 4)]

    assert carried == [a_trace(1), a_trace(1), a_trace(3, UNSAMPLED), a_trace(1)]
    assert tracing.traceparent("o-1") is None


def test_what_nobody_records_is_no_part_of_a_recorded_batch(recorded):
    with tracing.handling("orders", [("o-1", a_trace(1)), ("o-2", a_trace(2, "00"))]):
        carried = tracing.traceparent("o-2")

    assert carried == a_trace(2, "00")
    assert [span.context.trace_id for span in recorded.spans] == [1]


def test_a_batch_of_very_many_traces_has_a_bounded_number_of_spans(recorded):
    causes = [(f"o-{number}", a_trace(number)) for number in range(1, 300)]

    with tracing.handling("orders", causes):
        carried = tracing.traceparent("o-299")

    assert len(recorded.spans) == tracing.MOST_TRACES + 1
    assert carried == a_trace(299)


def test_a_batch_that_fails_says_so_on_all_its_spans(recorded):
    causes = [(f"o-{number}", a_trace(number)) for number in (1, 2)]

    with pytest.raises(ValueError, match="secret"), tracing.handling("orders", causes):
        raise ValueError("secret")

    assert {s.status.status_code for s in recorded.spans} == {StatusCode.ERROR}
    assert {s.attributes["error.type"] for s in recorded.spans} == {"ValueError"}
    assert all("secret" not in span.to_json() for span in recorded.spans)


def test_what_is_broken_off_has_not_failed(recorded):
    """The client went away, or the process leaves."""
    with (
        pytest.raises(CancelledError),
        tracing.handling("orders", [("a", a_trace(7)), ("b", a_trace(8))]),
        tracing.publishing("topic", [a_trace(7)]),
        tracing.beginning("sweep"),
    ):
        raise CancelledError

    assert {span.status.status_code for span in recorded.spans} == {StatusCode.UNSET}
    assert len(recorded.spans) == 5


def test_what_is_published_together_is_linked_to_its_traces(recorded):
    with tracing.publishing("orderly-orders", [a_trace(1), None, a_trace(2)]):
        pass

    (span,) = recorded.spans
    assert span.name == "publish orderly-orders"
    assert {link.context.trace_id for link in span.links} == {1, 2}


def test_a_batch_without_traces_is_handled_too(recorded):
    with tracing.handling("orders", [("o-1", None)]), tracing.handling("orders", []):
        assert tracing.traceparent() is None

    assert recorded.spans == []


def test_work_that_nobody_asked_for_just_now_is_a_trace_of_its_own(recorded):
    with tracing.beginning("place rows"):
        inside = tracing.traceparent()

    (span,) = recorded.spans
    assert (span.name, span.parent) == ("place rows", None)
    assert inside == f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-01"
