import json
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID, uuid4

import msgspec
import pytest

from chassis.events import (
    Envelope,
    Event,
    Router,
    Unreadable,
    about,
    event_in,
    to_wire,
)
from sample.main import NoteTaken

NO_TX: Any = None  # handlers that ask nothing get on without
AT = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)


class Forgotten(Event, frozen=True):
    type: ClassVar[str] = "sample.note_forgotten.v2"


async def ignore(tx: Any, events: list[Any]) -> None:
    """Stand in for a handler."""


def router_for(*types: type[Event]) -> Router:
    router = Router()
    router.on(*types)(ignore)
    return router


def an_event(**changes: Any) -> dict[str, Any]:
    note = NoteTaken(note_id=uuid4(), text="hello")
    event = {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": "orderly/sample",
        "type": note.type,
        "subject": str(note.note_id),
        "time": AT.isoformat(),
        "data": msgspec.to_builtins(note),
    } | changes
    return {name: value for name, value in event.items() if value is not None}


def read(*items: Any, router: Router | None = None) -> list[Any]:
    return (router or router_for(NoteTaken)).read(json.dumps(items))


def test_an_event_goes_to_the_wire_and_back():
    id_, note = uuid4(), NoteTaken(note_id=uuid4(), text='ü "quoted" \x01')
    traceparent = f"00-{'a' * 32}-{'b' * 16}-01"

    wire = to_wire(
        id=id_,
        source="orderly/sample",
        type=note.type,
        subject="s",
        time=AT,
        sequence=7,
        traceparent=traceparent,
        data=msgspec.json.encode(note).decode(),
    )

    (event,) = router_for(NoteTaken).read(f"[{wire}]")
    assert event == Envelope(
        id=id_,
        source="orderly/sample",
        subject="s",
        time=AT,
        sequence=7,
        traceparent=traceparent,
        data=note,
        sent=wire.encode(),
    )


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({"subject": "7", "data": {"note_id": "7"}}, {"note_id": "7"}),
        ({"subject": "7", "data": {"note_id": "8"}}, {"subject": "7"}),
        ({"subject": "7", "data": {"event": "7"}}, {"subject": "7"}),
        ({"subject": "7", "data": "7"}, {"subject": "7"}),
        ({"subject": ["7"], "data": {"note_id": "7"}}, {}),
        ({"data": {"note_id": "7"}}, {}),
        ({}, {}),
    ],
)
def test_a_subject_is_told_by_the_name_that_its_data_has_for_it(raw, told):
    assert about(raw) == told


def test_the_wire_carries_the_attributes_of_cloudevents():
    wire = json.loads(
        to_wire(
            id=UUID(int=1),
            source="orderly/sample",
            type="sample.note_taken.v1",
            subject="s",
            time=AT,
            sequence=None,
            traceparent=None,
            data="{}",
        )
    )

    assert wire == {
        "specversion": "1.0",
        "id": str(UUID(int=1)),
        "source": "orderly/sample",
        "type": "sample.note_taken.v1",
        "subject": "s",
        "time": "2026-11-21T10:30:00Z",
        "datacontenttype": "application/json",
        "data": {},
    }


def test_attributes_and_fields_added_later_are_skipped():
    event = an_event(partitionkey="later")
    event["data"]["mood"] = "later"

    assert isinstance(read(event)[0], Envelope)


@pytest.mark.parametrize(
    "changes",
    [
        {"specversion": None},
        {"specversion": "2.0"},
        {"id": "5"},
        {"id": None},
        {"type": None},
        {"type": 5},
        {"subject": None},
        {"time": "2026-11-21T10:30:00"},
        {"time": "yesterday"},
        {"sequence": "first"},
        {"data": None},
        {"data": {"note_id": "no uuid", "text": "hello"}},
        {"data": {"text": "hello"}},
        {"data": "text"},
        {"data": json.loads("[" * 500 + "]" * 500)},
    ],
)
def test_an_event_that_is_not_one_is_unreadable_alone(changes):
    good = an_event()

    first, bad, last = read(good, an_event(**changes), good)

    assert isinstance(bad, Unreadable)
    assert isinstance(first, Envelope)
    assert isinstance(last, Envelope)
    assert router_for(NoteTaken).read(bad.alone) == [bad]


def test_an_event_is_told_as_it_was_sent():
    event = an_event(of_another_version=[1e9, "Zoë"])
    event["data"]["mood"] = 1e9
    alone = json.dumps([event], ensure_ascii=False).replace("1000000000.0", "1e9")

    (found,) = router_for(NoteTaken).read(alone)

    assert isinstance(found, Envelope)
    assert found.alone == alone
    assert found.data_as_sent in alone
    assert json.loads(found.data_as_sent) == event["data"]
    assert event_in(found.alone) == event


@pytest.mark.parametrize("where", ["data", "of_another_version"])
def test_nothing_is_nested_so_deep_that_it_cannot_be_put_aside(where):
    for depth in range(100, 1100):
        nested = "[" * depth + "]" * depth
        event = an_event(**{where: "deep"})
        body = json.dumps([event]).replace('"deep"', nested)

        (found,) = router_for(NoteTaken).read(body)

        assert found.alone == body
        # What is too deep even for its id is told of no event.
        assert event_in(body).get("id") in {None, event["id"]}


def test_an_event_that_nobody_sent_is_not_told_as_it_was_sent():
    note = NoteTaken(note_id=uuid4(), text="hello")
    made_here = Envelope(
        id=uuid4(),
        source="orderly/sample",
        subject=str(note.note_id),
        time=AT,
        sequence=None,
        traceparent=None,
        data=note,
    )

    assert made_here.data_as_sent == msgspec.json.encode(note).decode()
    with pytest.raises(ValueError, match="nobody sent it"):
        _ = made_here.alone


@pytest.mark.parametrize("item", [None, 5, "text", [], {}])
def test_what_is_no_event_at_all_is_unreadable(item):
    assert isinstance(read(item)[0], Unreadable)


@pytest.mark.parametrize(
    "body",
    ["", "poison", "{}", "5", "null", '"[]"', "[", "[" * 100_000, '["\\ud800"]'],
)
def test_a_message_that_is_no_batch_is_unreadable(body):
    (found,) = router_for(NoteTaken).read(body)

    assert isinstance(found, Unreadable)
    assert found.alone == body
    assert event_in(body) == {}


def test_a_reason_does_not_repeat_what_was_sent():
    (unreadable,) = read(an_event(data={"note_id": "Ada Byron", "text": "hello"}))

    assert "note_id" in unreadable.reason
    assert "Ada Byron" not in unreadable.reason


def test_an_unknown_type_is_for_others():
    assert read(an_event(type="others.thing_done.v1")) == []
    assert read(an_event(type="no version")) == []
    assert read(an_event(type="others.thing_done.v1", data=None)) == []


def test_an_unknown_version_of_a_known_fact_is_unreadable():
    (unreadable,) = read(an_event(type="sample.note_taken.v2"))

    assert unreadable.reason == "unknown version v2 of sample.note_taken"


async def test_each_handler_gets_all_of_its_events_in_their_order():
    router, got = Router(), []

    @router.on(NoteTaken, Forgotten)
    async def hear_both(_: Any, events: list[Envelope[Any]]) -> None:
        got.append(["both", *(event.subject for event in events)])

    @router.on(Forgotten)
    async def hear_one(_: Any, events: list[Envelope[Forgotten]]) -> None:
        got.append(["one", *(event.subject for event in events)])

    events = read(
        an_event(subject="a"),
        an_event(type=Forgotten.type, subject="b"),
        an_event(subject="c"),
        router=router,
    )
    await router.dispatch(NO_TX, events)

    assert got == [["both", "a", "b", "c"], ["one", "b"]]


async def test_a_handler_without_events_is_not_called():
    router = Router()

    @router.on(Forgotten)
    async def hear(_: Any, __: list[Envelope[Forgotten]]) -> None:
        raise AssertionError

    await router.dispatch(NO_TX, read(an_event()))
