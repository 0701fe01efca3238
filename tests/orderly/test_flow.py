from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

from rich.console import Console

from orderly.flow import Flow, rate
from orderly.operations import PAGE
from orderly.top import line, page, top

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def placed(*ages_s):
    return [{"placed_at": (NOW - timedelta(seconds=age)).isoformat()} for age in ages_s]


def a_flow(**changes):
    queue = {"name": "orderly-orders-intake", "depth": 3, "in_flight": 1, "age": 7}
    figures: dict[str, Any] = {
        "a_minute": 1200,
        "decided_within_s": [0.1, 0.2, 0.3, 4.0],
        "states": {"confirmed": 3, "partially_shipped": 1},
        "undecided": 2,
        "many_undecided": False,
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
    assert rate(placed(1, 59, 61, 600), NOW) == 2


def test_a_full_page_of_newer_orders_is_taken_for_the_rate_of_the_minute():
    assert rate(placed(*[10] * (PAGE - 1), 30), NOW) == PAGE * 2


def test_no_orders_are_no_rate():
    assert rate([], NOW) == 0


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


def test_who_is_away_is_named():
    away = a_flow(away=["inventory"])

    assert line(away).plain.startswith("away: inventory · ")
    assert "inventory" in shown(page(away))


def test_the_page_tells_the_rest_without_colour_too():
    text = shown(page(a_flow(many_undecided=True)))

    assert "median 200 ms, 95 % within 4.0 s" in text
    assert "3 confirmed, 1 partially shipped" in text
    assert "2+" in text
    assert "orderly-orders-intake" in text


async def test_a_terminal_that_cannot_draw_is_told_once(monkeypatch):
    said = StringIO()
    dumb = Console(file=said, force_terminal=True, _environ={"TERM": "dumb"})
    monkeypatch.setattr("orderly.top.console", dumb)

    async def look(_: None) -> Flow:
        return a_flow()

    nowhere: Any = nullcontext
    monkeypatch.setattr("orderly.flow.look", look)
    await top(nowhere)

    assert "orders a minute" in said.getvalue()


def test_what_is_not_known_is_not_taken_for_nothing():
    queue = dict.fromkeys(("depth", "in_flight", "age", "dead_letters"))

    text = shown(page(a_flow(queues=[queue | {"name": "away"}])))

    assert text.count("?") == 4
