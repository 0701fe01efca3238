"""Dead letters as a person reads them, and as a program does."""

import json
from collections.abc import Iterator
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from orderly.operations import JSON, DeadLetters

NEXT = """
Mend the cause, then have them handled again:
  orderly dead-letters redrive ID…    these
  orderly dead-letters redrive --all  all of them
`--trace` shows where each failed. Orders concerned show `attention: event_stuck`."""


def as_json(found: DeadLetters) -> str:
    """One list for all services; `more` names those that have more than they show, and
    `away` those that did not answer.
    """
    items = [{"service": service, **item} for service, item in _each(found)]
    document = {"items": items, "more": _with_more(found), "away": list(found.away)}
    return json.dumps(document, indent=2)


def table(found: DeadLetters, *, trace: bool) -> RenderableType:
    letters = [letter for _, letter in _each(found)]
    more = [*map(_more, _with_more(found)), *map(_away, found.away)]
    if not letters:
        return Group(*(more or [Text("There are no dead letters.", style="green")]))
    shown = Table("dead letter", "what, in which queue, and why", "seen", "times")
    shown.columns[0].no_wrap = True
    for letter in letters:
        shown.add_row(*_row(letter))
    traces = [_trace(letter) for letter in letters if trace and letter["trace"]]
    return Group(shown, *traces, *more, Text(NEXT.strip("\n")))


def _each(found: DeadLetters) -> Iterator[tuple[str, JSON]]:
    for service, seen in found.of.items():
        yield from ((service, letter) for letter in seen["items"])


def _with_more(found: DeadLetters) -> list[str]:
    return [service for service, seen in found.of.items() if seen["more"]]


def _row(letter: JSON) -> Iterator[str | Text]:
    event = letter["event"] or {}
    about = (event.get("type") or "unreadable", event.get("subject"), letter["queue"])
    error = letter["error"] or "its process died of it"
    yield Text(letter["id"], style="bold")
    yield Text.assemble("\n".join(filter(None, about)), "\n", (error, "red"))
    yield _seen(letter["first_seen"], letter["last_seen"])
    yield str(letter["times"])


def _seen(first: str | None, last: str | None) -> str:
    """To the second, and once if it is the same."""
    moments = dict.fromkeys(_short(moment) for moment in (first, last) if moment)
    return "\n".join(moments)


def _short(moment: str) -> str:
    return datetime.fromisoformat(moment).strftime("%Y-%m-%d %H:%M:%S")


def _trace(letter: JSON) -> Text:
    return Text.assemble(
        ("\n" + letter["id"] + "\n", "bold"), (letter["trace"].rstrip(), "dim")
    )


def _more(service: str) -> Text:
    return Text(
        f"{service} has more than these, or somebody is looking at them.",
        style="yellow",
    )


def _away(service: str) -> Text:
    return Text(f"{service} does not answer: it may have more.", style="yellow")
