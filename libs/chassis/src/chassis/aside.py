"""What was put aside, for whoever has to tell of it: which event, and if it still is.

Every dead letter says when it was first seen, and so does the message that it becomes
when it is redriven: that is how its handling is noticed.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import func, select

from chassis.database import Tx
from chassis.queues import Message

MOST_LETTERS = 200


@dataclass(frozen=True, kw_only=True)
class Aside:
    """An event that was put aside, or handled after all; of two, the later is true."""

    event_id: UUID
    type: str
    subject: str
    queue: str
    waits: bool
    at: datetime


Tell: TypeAlias = Callable[[Tx, Sequence[Aside]], Awaitable[None]]


async def tell_nobody(_: Tx, __: Sequence[Aside]) -> None:
    """For services whose events concern nothing that people look at."""


def was_aside(message: Message) -> bool:
    return "first_seen" in message.attributes


def named(events: Iterable[Any]) -> list[Mapping[str, str]]:
    """Those that say which they are, and nothing that a database would choke on."""
    return [event for event in events if _is_named(event)]


async def told(
    tx: Tx, queue: str, events: Iterable[Mapping[str, str]], *, waits: bool
) -> list[Aside]:
    """What there is to tell of these events.

    By the database's clock, which is the same for all who handle and put aside.
    """
    at: datetime = (await tx.execute(select(func.clock_timestamp()))).scalar_one()
    return [
        Aside(
            event_id=UUID(event["id"]),
            type=event["type"],
            subject=event["subject"],
            queue=queue,
            waits=waits,
            at=at,
        )
        for event in events
    ]


def _is_named(event: Any) -> bool:
    if not isinstance(event, Mapping):
        return False
    words = (event.get(name) for name in ("id", "type", "subject"))
    return all(map(_is_plain, words)) and is_uuid(event["id"])


def _is_plain(word: object) -> bool:
    return (
        isinstance(word, str)
        and len(word) <= MOST_LETTERS
        and word.isascii()
        and word.isprintable()
    )


def is_uuid(text: str) -> bool:
    with suppress(ValueError):
        return bool(UUID(text))
    return False
