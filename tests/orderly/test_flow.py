from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

from rich.console import Console

from chassis.testing import eventually
from orderly.flow import MOST_WAITING, Flow, rate
from orderly.operations import Refused
from orderly.top import line, looks, page, summary, top

NOWHERE: Any = nullcontext
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def counts(*placed, seconds):
    """Orders by the minute, so many seconds after the last of them began."""
    as_of = NOW + timedelta(seconds=seconds)
    return {"as_of": as_of.isoformat(), "minutes": [{"placed": n} for n in placed]}


def a_flow(**changes):
    queue = {"name": "orderly-orders-intake", "depth": 3, "in_flight": 1, "age": 7}
    figures: dict[str, Any] = {
        "a_minute": 1200,
        "decided_within_s": [0.1, 0.2, 0.3, 4.0],
        "states": {"confirmed": 3, "partially_shipped": 1},
        "undecided": 2,
        "attention": 0,
        "queues": [queue | {"dead_letters": 0}],
        "outboxes": {"orders": {"waiting": 5, "age": 1}},
        "away": [],
    }
    return Flow(**figures | changes)


def shown(renderable):
    console = Console(width=100, no_color=True)
    with console.capture() as captured:
        console.print(renderable)
    return captured.get()


def test_orders_of_the_last_minute_are_counted():
    assert rate(counts(9, 60, 10, seconds=15)) == 55
    assert rate(counts(60, 10, seconds=0)) == 70
    assert rate(counts(10, seconds=15)) == 10


def test_a_share_of_the_orders_was_decided_in_a_time():
    assert (a_flow().within_s(0.5), a_flow().within_s(0.95)) == (0.2, 4.0)
    assert a_flow(decided_within_s=[]).within_s(0.5) is None


def test_the_line_tells_what_flows_and_what_waits():
    assert line(a_flow()).plain == (
        "1,200 orders a minute · decided in 200 ms · 2 undecided"
        " · 3 in queues · 5 in outboxes"
    )


def test_the_line_tells_of_dead_letters_when_there_are_some():
    queue = {"name": "q", "depth": 0, "in_flight": 0, "age": 0, "dead_letters": 2}

    assert line(a_flow(queues=[queue])).plain.startswith("2 dead letters · ")


def test_the_line_tells_of_orders_that_need_a_look():
    needing = a_flow(attention=1, a_minute=1)

    assert line(needing).plain.startswith("1 need a look · 1 order a minute · ")
    assert "need a look" in shown(page(needing))


def test_who_is_away_is_named():
    away = a_flow(away=["inventory"])

    assert line(away).plain.startswith("away: inventory · ")
    assert "inventory" in shown(page(away))


def test_the_page_tells_the_rest_without_colour_too():
    text = shown(page(a_flow(undecided=MOST_WAITING)))

    assert "median 200 ms, 95 % within 4.0 s" in text
    assert "3 confirmed, 1 partially shipped" in text
    assert "10,000+" in text
    assert "orderly-orders-intake" in text


async def test_a_terminal_that_cannot_draw_is_told_once(monkeypatch):
    said = StringIO()
    dumb = Console(file=said, force_terminal=True, _environ={"TERM": "dumb"})
    monkeypatch.setattr("orderly.top.console", dumb)

    async def look(_: None) -> Flow:
        return a_flow()

    monkeypatch.setattr("orderly.flow.look", look)
    await top(NOWHERE)

    assert "orders a minute" in said.getvalue()


async def test_the_line_goes_on_after_a_refusal_and_with_a_new_token(monkeypatch):
    said = StringIO()
    terminal = Console(file=said, force_terminal=True, _environ={"TERM": "xterm"})
    monkeypatch.setattr("orderly.top.console", terminal)
    monkeypatch.setattr("orderly.top.LINE_EVERY_S", 0)
    connects: list[Any] = []

    def connect() -> Any:
        connects.append(nullcontext())
        return connects[-1]

    async def look(_: None) -> Flow:
        if len(connects) == 1:
            raise Refused("401: the token has expired")
        return a_flow()

    async def flows() -> bool:
        return "1,200 orders" in said.getvalue()

    monkeypatch.setattr("orderly.flow.look", look)
    async with summary(connect):
        await eventually(flows)

    assert "the token has expired" in said.getvalue()


async def test_who_looks_for_long_asks_with_a_new_token(monkeypatch):
    """Also when most of that time was slept through: a clock counts, and not looks."""
    connects: list[Any] = []
    monkeypatch.setattr("orderly.top.RECONNECT_AFTER_S", 0.001)

    def connect() -> Any:
        connects.append(nullcontext())
        return connects[-1]

    async def look(_: None) -> Flow:
        return a_flow()

    monkeypatch.setattr("orderly.flow.look", look)
    found = looks(connect, every_s=0.002)
    for _ in range(3):
        await anext(found)

    assert len(connects) == 3


def test_what_is_not_known_is_not_taken_for_nothing():
    queue = dict.fromkeys(("depth", "in_flight", "age", "dead_letters"))

    unknown = {"a_minute": None, "undecided": None, "attention": None}
    seen = a_flow(queues=[queue | {"name": "away"}], **unknown)

    assert shown(page(seen)).count("?") == 6
    assert line(seen).plain.startswith("? orders a minute · ")
