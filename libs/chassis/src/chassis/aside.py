"""What was put aside, for whoever has to tell of it: which event, and if it still is.

That an event waits is noted before its letter is sent, and the note is taken back by
whatever handles the event in the end: its message that came again after a crash, its
letter that was redriven, a replay. So nobody waits for what is done, or unseen. What
the relay cannot publish waits in the same way, in the name of its topic.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import (
    Column,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    bindparam,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from chassis import outbox
from chassis.database import Tx, columns_of, insert_many, run
from chassis.events import Announcement

MOST_LETTERS = 200

metadata = MetaData()

asides = Table(
    "asides",
    metadata,
    Column("event_id", Uuid, nullable=False),
    Column("queue", Text, nullable=False),
    PrimaryKeyConstraint("event_id", "queue"),
)

# What is noted again is held until the commit: who takes it back comes after, and is
# told of as later.
_INSERT = insert_many(asides, "event_id", "queue")
_NOTE = _INSERT.on_conflict_do_update(
    index_elements=["event_id", "queue"], set_={"queue": _INSERT.excluded.queue}
)
_TAKE_BACK = text(
    "DELETE FROM asides WHERE queue = :queue AND event_id = ANY(:ids)"
    " RETURNING event_id"
).bindparams(bindparam("ids", type_=ARRAY(Uuid)))


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


def announcing(news: Callable[[Sequence[Aside]], Sequence[Announcement]]) -> Tell:
    """For services that have to tell others."""

    async def tell(tx: Tx, asides: Sequence[Aside]) -> None:
        await outbox.publish(tx, news(asides))

    return tell


def named(events: Iterable[Mapping[str, Any]]) -> list[Mapping[str, str]]:
    """Those that say which they are, and nothing that a database would choke on."""
    return [event for event in events if _is_named(event)]


async def note(
    tx: Tx, queue: str, events: Sequence[Mapping[str, str]], tell: Tell
) -> None:
    """These wait among the dead letters of a queue, or soon will."""
    waiting = {UUID(event["id"]): event for event in events}
    rows = [{"event_id": id_, "queue": queue} for id_ in sorted(waiting)]
    await tx.execute(_NOTE, columns_of(rows, ("event_id", "queue")))
    at = await _now(tx)
    told = [
        Aside(
            event_id=id_,
            type=event["type"],
            subject=event["subject"],
            queue=queue,
            waits=True,
            at=at,
        )
        for id_, event in waiting.items()
    ]
    await tell(tx, told)


async def take_back(
    tx: Tx, queue: str, done: Mapping[UUID, tuple[str, str]], tell: Tell
) -> None:
    """These, by id with type and subject, are handled: none of them waits now."""
    found = await run(tx, _TAKE_BACK, {"queue": queue, "ids": list(done)})
    if waited := [row.event_id for row in found]:
        at = await _now(tx)
        told = [
            Aside(
                event_id=id_,
                type=done[id_][0],
                subject=done[id_][1],
                queue=queue,
                waits=False,
                at=at,
            )
            for id_ in waited
        ]
        await tell(tx, told)


async def _now(tx: Tx) -> datetime:
    """By the database's clock, the same for all who handle and put aside."""
    now: datetime = (await tx.execute(select(func.clock_timestamp()))).scalar_one()
    return now


def _is_named(event: Mapping[str, Any]) -> bool:
    words = (event.get(name) for name in ("id", "type", "subject"))
    return all(map(_is_plain, words)) and is_uuid(event["id"])


def _is_plain(word: object) -> bool:
    return (
        isinstance(word, str)
        and len(word) <= MOST_LETTERS
        and word.isascii()
        and word.isprintable()
    )


def is_uuid(word: str) -> bool:
    with suppress(ValueError):
        return bool(UUID(word))
    return False
