import re
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.events import Announcement, Event
from contracts import EVENTS, accounting, inventory, orders

EACH = pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
st.register_type_strategy(datetime, st.datetimes(timezones=st.just(UTC)))
WELL_FORMED = re.compile(r"(orders|inventory|accounting)\.[a-z]+(_[a-z]+)*\.v[1-9]\d*")


def test_no_two_events_have_the_same_type():
    types = [event.type for event in EVENTS]

    assert len(set(types)) == len(types)


@EACH
def test_a_type_is_service_fact_and_version(event):
    assert WELL_FORMED.fullmatch(event.type)


@EACH
def test_a_type_says_what_its_class_says(event):
    fact = re.sub(r"(?<!^)(?=[A-Z])", "_", event.__name__).lower()

    assert event.type.split(".")[1] == fact


@pytest.mark.parametrize("module", [orders, inventory, accounting])
def test_a_module_lists_all_the_events_of_its_service(module):
    defined = {
        thing
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, Event) and thing is not Event
    }

    assert set(module.EVENTS) == defined
    service = module.__name__.removeprefix("contracts.")
    assert all(event.type.startswith(f"{service}.") for event in defined)


@EACH
def test_an_event_tells_other_teams_what_it_means(event):
    assert event.__doc__


@EACH
@settings(deadline=None, max_examples=20)
@given(data=st.data())
def test_what_is_announced_is_what_is_read(event, data):
    announced = data.draw(st.from_type(event))

    told = Announcement(announced, "subject").data_on_the_wire
    assert msgspec.json.decode(told, type=event) == announced


@EACH
def test_no_amount_is_a_float(event):
    assert "number" not in set(types_in(msgspec.json.schema(event)))


def types_in(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["type"]] if isinstance(node.get("type"), str) else []
        return own + [found for value in node.values() for found in types_in(value)]
    if isinstance(node, list):
        return [found for value in node for found in types_in(value)]
    return []


@EACH
def test_events_are_facts_and_cannot_be_changed(event):
    assert event.__struct_config__.frozen


@EACH
def test_a_reader_skips_what_was_added_later(event):
    assert not event.__struct_config__.forbid_unknown_fields
