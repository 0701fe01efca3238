"""A dead letter on its way: what could not be handled, and what is needed to mend it.

Whatever came can be put aside, however large: what is said of it takes the room that
is left.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog

from chassis import metrics, tracing
from chassis.events import about, event_in
from chassis.queues import MESSAGE_BYTES, Aws, transportable
from chassis.topology import Queue

log = structlog.get_logger(__name__)

MOST_OF_REASON = 1000
MOST_OF_STACK = 4000
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """What cannot be handled, and why.

    `body`: a message of its own, as it was sent. `before`: what it carried from when it
    was put aside before, if it was.
    """

    body: str
    reason: str
    stack: str = ""
    before: Mapping[str, str] = field(default_factory=dict)

    @property
    def event(self) -> Mapping[str, Any]:
        """What it tells, as far as that can be read."""
        return event_in(self.body)


def times_aside(attributes: Mapping[str, str]) -> int:
    """How often a message with these has been put aside."""
    told = attributes.get("times", "")
    return int(told) if told.isdecimal() else 0


async def put_aside(aws: Aws, queue: Queue, letter: DeadLetter) -> None:
    """Send to the dead letters."""
    attributes = _fitted(_about(queue, letter), MESSAGE_BYTES - _size(letter.body))
    await aws.send(queue.dead_letters, letter.body, dict(attributes))
    metrics.DEAD_LETTERS.add(1)
    event = letter.event
    with tracing.continuing(tracing.accepted(event.get("traceparent"))):
        log.error(
            "Event put aside",
            **{
                **about(event),
                "queue": queue.name,
                "error": letter.reason,
                "event_id": event.get("id"),
            },
        )


def _about(queue: Queue, letter: DeadLetter) -> Mapping[str, str]:
    """The most needed first."""
    now = datetime.now(UTC).isoformat()
    return {
        "first_seen": letter.before.get("first_seen", now),
        "last_seen": now,
        "times": str(times_aside(letter.before) + 1),
        "queue": queue.name,
        "error": _plain(letter.reason)[:MOST_OF_REASON],
        "stack": _plain(letter.stack)[-MOST_OF_STACK:],
    }


def _fitted(about: Mapping[str, str], room: int) -> Iterator[tuple[str, str]]:
    """As much as there is room for; half a sentence helps, and half a date does not."""
    for name, value in about.items():
        left = room - len(name) - len("String")
        fits = _cut(value, left) if name in ("error", "stack") else value
        if fits and _size(fits) <= left:
            room = left - _size(fits)
            yield name, fits


def _plain(text: str) -> str:
    return _NOT_IN_XML.sub("?", text)


def _cut(text: str, most: int) -> str:
    return text.encode()[: max(most, 0)].decode(errors="ignore")


def _size(text: str) -> int:
    return len(transportable(text).encode())
